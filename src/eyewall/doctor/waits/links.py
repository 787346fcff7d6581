"""The links of one chain of awaits: coroutines, generators of both kinds, runners of generator-based coroutines, and
the future at the end.

A suspended coroutine knows what it awaits, and that one knows in turn, down to a future. Where the future is another
task the chain ends: that one has a chain of its own. A generator-based coroutine (`gen.coroutine`) is a future to
whoever awaits it; behind it is a runner with a generator (`gen`) and what that one waits for (`future`). A runner of
ours is found from its future. One of Tornado's is not: whoever has found them hands them in.

Variables of frames are never read by name, which would leave a copy of them in the frame and keep their values alive.
The collector is asked what a coroutine refers to: first what belongs to its function, then its variables, then what
stands on its stack, in that order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent import futures
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, NamedTuple

from eyewall.doctor.unlisted import coroutine_of
from eyewall.guard.deadlines import awaiting

#: Links of one chain that are followed, at most.
DEPTH = awaiting.DEPTH

_FRAMES = ("cr_frame", "gi_frame", "ag_frame")


class Link(NamedTuple):
    """One that awaits: a coroutine or generator, and where it stands (None where it is compiled)."""

    subject: object
    frame: FrameType | None

    @property
    def name(self) -> str:
        """Its qualified name."""
        return str(getattr(self.subject, "__qualname__", type(self.subject).__qualname__))

    @property
    def module(self) -> str:
        """The name of the module that it is written in."""
        return "" if self.frame is None else str(self.frame.f_globals.get("__name__", ""))


class Chain(NamedTuple):
    """From the outermost link to the innermost, and the future that this one waits for, of either kind; None where
    there is none."""

    links: tuple[Link, ...]
    end: object


def chain_of(awaitable: object, runners: Mapping[int, Any] | None = None) -> Chain:
    """Follows what a task, or another awaitable, waits for. It must not be running.

    `runners`: those of Tornado's generator-based coroutines, by the identities of their futures.
    """
    links: list[Link] = []
    end: object = None
    # What drives the generators that are being walked through.
    runner: Any = None
    link: Any = coroutine_of(awaitable) if isinstance(awaitable, asyncio.Task) else awaitable
    for _ in range(DEPTH):
        if asyncio.isfuture(link):
            runner = runner_of(link, runners)
            if runner is None:
                end = link
                break
            link = runner.gen
            continue
        if isinstance(link, futures.Future):
            end = link
            break
        frame, following = _step(link)
        if type(link).__name__ not in awaiting.WRAPPERS:
            links.append(Link(link, frame))
        if following is None and runner is not None:
            following, runner = runner.future, None
        if following is None:
            break
        link = following
    return Chain(tuple(links), end)


def runs(task: asyncio.Task[Any]) -> bool:
    """Whether `task` runs now: as the current one, or because it starts another that begins at once and is current."""
    coroutine = coroutine_of(task)
    # What measures the steps of a coroutine awaits it.
    return any(
        getattr(each, "cr_running", False) for each in (coroutine, getattr(coroutine, "cr_await", None))
    )


def runner_of(future: object, runners: Mapping[int, Any] | None = None) -> Any:
    """Returns the runner of a generator-based coroutine that completes `future`, None where there is none."""
    if isinstance(future, asyncio.Task) or future.done():  # type: ignore[attr-defined]
        return None
    runner = getattr(future, "_eyewall_runner", None)
    if runner is None and runners is not None:
        runner = runners.get(id(future))
    return None if runner is None or runner.gen is None else runner


def frame_of(suspended: object) -> FrameType | None:
    """Returns the frame of a coroutine or generator of any kind, None for one that is compiled, and for others."""
    return next((found for name in _FRAMES if (found := getattr(suspended, name, None)) is not None), None)


def _step(link: Any) -> tuple[FrameType | None, Any]:
    if isinstance(link, CoroutineType):
        return link.cr_frame, link.cr_await
    if isinstance(link, GeneratorType):
        return link.gi_frame, link.gi_yieldfrom
    if isinstance(link, AsyncGeneratorType):
        return link.ag_frame, link.ag_await
    # A compiled one has the attributes, but is of a kind of its own.
    return frame_of(link), awaiting.within(link)
