"""The configuration file of a relay that runs, for its operations: reading, checking, editing.

What changes parts of it is loaded when it is wanted, as not each installation has what it needs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import attrs

from ..configuration import Configuration, load_text, needing_restart, summary, warnings
from ..editing.difference import difference
from ..editing.file import read, write
from ..editing.secrets import MASK, masked, unmasked
from ..errors import ConfigurationError, EditRefusedError, FileNotWrittenError
from ..interfaces.configuring import CheckedText, Editing, StoredText
from .configured import Configured


@attrs.frozen
class OwnFile:
    """As `ConfigurationFile`.

    :param policy: returns what holds now.
    :param hold: has the relay go on with another configuration.
    :param wall: tells the time that people read.
    """

    _policy: Callable[[], Configured]
    _hold: Callable[[Configuration], Awaitable[object]]
    _wall: Callable[[], float]

    mask: ClassVar[str] = MASK
    masked = staticmethod(masked)
    unmasked = staticmethod(unmasked)
    difference = staticmethod(difference)

    @property
    def path(self) -> str:
        """The path of the file.

        :raise FileNotWrittenError: there is none.
        """
        path = self._policy().configuration.path
        if path is None:
            raise FileNotWrittenError(
                "the relay was not started with a file, so there is none to be read or changed"
            )
        return path

    @property
    def editing(self) -> Editing:
        """What changes its text.

        :raise EditRefusedError: it is not installed.
        """
        try:
            from ..editing import edits  # noqa: PLC0415
        except ImportError as error:
            raise EditRefusedError(
                f"nothing but the whole text can be changed without {error.name}; run:"
                " pip install 'multisendcon[web]'"
            ) from None
        return edits

    def running(self) -> str:
        return self._policy().configuration.text or ""

    def read(self) -> StoredText:
        found = read(self.path)
        return StoredText(text=found.text, hash=found.hash)

    def write(self, text: str, seen: str) -> str:
        return write(self.path, text, seen)

    def check(self, text: str) -> CheckedText:
        before = self._policy()
        configuration = load_text(text, self.path)
        if faults := needing_restart(before.configuration, configuration):
            raise ConfigurationError(faults)
        told = warnings(configuration, self._wall())
        changes = summary(before.configuration, configuration, told)
        return CheckedText(
            running=before.configuration.text or "",
            before=before.registry,
            after=Configured.of(configuration).registry,
            added=changes.added,
            removed=changes.removed,
            changed=changes.changed,
            tables=changes.tables,
            warnings=changes.warnings,
            hold=lambda: self._hold(configuration),
        )
