"""Tells the steps of something that lasts, each at its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.python.failure import Failure


async def steps(
    run: Callable[[Callable[[Any], object]], Coroutine[Any, Any, Any]],
) -> AsyncGenerator[list[Any], None]:
    """Run something; iterate over its steps as they come, and last its result, in pieces of one.

    Who wants no more of them ends it.

    :param run: is called with what has to be told of each step.
    """
    told: DeferredQueue[tuple[bool, Any]] = DeferredQueue()
    running = Deferred.fromCoroutine(run(lambda step: told.put((False, step))))
    running.addBoth(lambda result: told.put((True, result)))
    try:
        ended = False
        while not ended:
            ended, step = await told.get()
            if isinstance(step, Failure):
                step.raiseException()
            yield [step]
    finally:
        running.cancel()
