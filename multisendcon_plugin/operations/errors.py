"""Why an operation was not done; each text is a sentence for admins that says what to do."""

from __future__ import annotations

from ..errors import MultisendconError


class OperationError(MultisendconError):
    """An operation was not done."""


class NotFoundError(OperationError):
    """There is nothing of that name or id, or nothing that a filter admits."""


class BadRequestError(OperationError):
    """What is asked for cannot be understood, or is not enough."""


class RefusedError(OperationError):
    """What is asked for must not be done.

    :ivar faults: one finished sentence each, where there are several.
    """

    def __init__(self, text: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.faults = faults
