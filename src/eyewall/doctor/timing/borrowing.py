"""Whether somebody waits for one of a few that others have at the time: a connection of a pool, a place, a thread.

Libraries have functions for that. An application that makes a pool of its own waits on a queue into which the same
function puts back what it has got, or on a queue or condition in something that is called like it: `acquire`, or the
beginning of an `async with`. Whoever waits on a queue or condition otherwise may be a long poll, which is as it should
be.
"""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Sequence
from functools import lru_cache
from types import CodeType, FrameType

from eyewall.doctor.growth.reaching import code_of

#: Functions in which libraries wait for a connection of theirs: the beginning of the module's name, and their own.
_WAITING = (
    ("aiohttp.connector", "_wait_for_available_connection"),
    ("aiomysql.pool", "_acquire"),
    ("aiopg.pool", "_acquire"),
    ("asyncmy.pool", "_acquire"),
    ("asyncpg.pool", "_acquire"),
    ("httpcore._async.connection_pool", "wait_for_connection"),
    ("psycopg_pool", "_getconn_unchecked"),
    ("redis.asyncio.connection", "get_connection"),
)
#: What those wait with.
_PRIMITIVES = ("anyio", "asyncio", "httpcore._synchronization", "sniffio")
#: Modules of queues and conditions, and the functions in which one waits.
_QUEUES = (
    "asyncio.locks",
    "asyncio.queues",
    "eyewall.loop.locks",
    "eyewall.loop.queues",
    "tornado.locks",
    "tornado.queues",
)
_TAKING = ("get", "wait")
#: What it is called to take something for a while.
_NAMES = re.compile(
    r"_*(?:a?enter_*|acquire\w*|borrow\w*|check_?out\w*|lease\w*|get_conn\w*|take_conn\w*|reserve\w*)"
)
#: Where anyio waits for a thread.
_LIMITING = ("acquire", "acquire_on_behalf_of")
_GETTING = re.compile(r"([\w.]+(?:\[[^\]]*\])?)\.get\(")


def is_borrowing(frame: FrameType, below: Sequence[FrameType]) -> bool:
    """Whether a function of the application, which stands in `frame`, waits for something like that; `below` are the
    frames of libraries in which it waits, the outermost first."""
    for at, each in enumerate(below):
        module = _module(each)
        if any(module.startswith(start) and each.f_code.co_name == name for start, name in _WAITING):
            return all(_module(inner).startswith(_PRIMITIVES) for inner in below[at + 1 :])
    if below and (_module(below[0]) not in _QUEUES or below[0].f_code.co_name not in _TAKING):
        return False
    if below and _NAMES.fullmatch(frame.f_code.co_name):
        return True
    return _puts_back(frame.f_code, frame.f_lineno or 0)


def waiting_job(frames: Sequence[FrameType]) -> CodeType | None:
    """Returns the function that a chain of awaits wants to have called in a thread of anyio's (a framework does that
    for handlers that are no coroutines), while all threads are at work; None where it waits for something else."""
    if not any(
        _module(each).startswith("anyio._backends") and each.f_code.co_name in _LIMITING for each in frames
    ):
        return None
    for each in reversed(frames):
        if _module(each) == "anyio.to_thread" and each.f_code.co_name == "run_sync":
            return code_of(each.f_locals.get("func"))
    return None


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


@lru_cache(maxsize=256)
def _puts_back(code: CodeType, line: int) -> bool:
    """Whether a function puts into the queue that it gets something from at `line`."""
    found = _GETTING.search(linecache.getline(code.co_filename, line))
    if found is None:
        return False
    try:
        block = inspect.getblock(linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :])
    except (SyntaxError, IndentationError):
        return False
    putting = re.compile(re.escape(found[1]) + r"\.put(?:_nowait)?\(")
    return any(putting.search(each) for each in block)
