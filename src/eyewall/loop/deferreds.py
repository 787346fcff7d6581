"""Twisted in a program that is ours: its deferreds can be yielded, its reactor can run on the same loop.

To import this is what makes the former work. Twisted is loaded by it, its reactor is not.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from eyewall.loop.concurrent import Future
from eyewall.loop.policy import current_loop
from eyewall.loop.yielded import convert_yielded


def install() -> None:
    """Makes Twisted's reactor one that runs on asyncio; start the loop, and it runs, too.

    Call it before anything imports `twisted.internet.reactor`; otherwise Twisted raises
    ReactorAlreadyInstalledError. Deprecated: `twisted.internet.asyncioreactor.install` does the same.
    """
    # It loads most of Twisted, and there may be no other reactor after it.
    from twisted.internet import asyncioreactor

    asyncioreactor.install(current_loop())  # type: ignore[no-untyped-call, unused-ignore]


@convert_yielded.register(Deferred)  # type: ignore[attr-defined, untyped-decorator, unused-ignore]
def future_of(deferred: Deferred[Any]) -> Future[Any]:
    """Returns a future for the result of a deferred, which is cancelled with it."""
    future: Future[Any] = deferred.asFuture(current_loop())
    return future
