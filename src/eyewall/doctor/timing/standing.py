"""Where live requests stand, and what for: the oldest ones, some of them at each look.

A request is a task that serves one: of an application of Eyewall's, of Tornado's `RequestHandler`, or in a server of
aiohttp's or uvicorn's. So is the task of a connection to `asyncio.start_server`, but for what it waits for from
streams: that may be its own client. One that waits is a chain of awaits. The innermost line of the application in it is
where it stands; what libraries have below that line says what it waits for. Where a framework is to call an ordinary
function in a thread, it stands at that function:

    DEPENDENCY  a client, driver or stream: another machine has to answer
    LOCK        an asyncio or Tornado lock or semaphore
    EXECUTOR    a job in a thread or process
    POOL        a resource of a pool, or a place in a bulkhead
    THREAD      a thread of the framework's to be free
    SHARED      one of a few that others have: the same of other libraries, and of the application's own
    OTHER       anything else: an event, a queue, a sleep; what comes by itself, or not

Requests whose response has begun (event streams, downloads), and those that became WebSockets, are left out: to wait is
what they are for.
"""

from __future__ import annotations

import ast
import asyncio
import enum
import gc
import inspect
import linecache
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType, MethodType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from eyewall.doctor.collector import Collector
from eyewall.doctor.places import DEPTH, Place, definition, is_own, place_of
from eyewall.doctor.subjects import runs_of_handlers
from eyewall.doctor.sweep import Sweep
from eyewall.doctor.timing.borrowing import is_borrowing, waiting_job
from eyewall.doctor.waits.links import frame_of, runner_of
from eyewall.guard.deadlines import awaiting
from eyewall.http.applications import running

#: Requests that are looked at in one look.
MOST = 40
#: How many times as many are looked at where some stand nowhere in the application: their job has a thread, say.
LOOKED = 2.5
#: Seconds that a request is left alone after it began.
YOUNG = 0.5

#: Modules of those who wait for another machine, and so do whatever is below them.
_DEPENDENCIES = (
    "aio_pika", "aiobotocore", "aiohttp.client", "aiohttp.connector", "aiohttp.streams", "aiokafka", "aiomysql",
    "aiopg", "aiosmtplib", "asyncio.streams", "asyncio.subprocess", "asyncmy", "asyncpg", "asyncssh", "cassandra",
    "elastic_transport", "elasticsearch", "eyewall.client", "eyewall.net", "grpc", "httpcore", "httpx", "kafka",
    "ldap3", "motor", "nats", "oracledb", "psycopg", "pymongo", "redis", "sqlalchemy", "tornado.httpclient",
    "tornado.iostream", "tornado.simple_httpclient", "tornado.tcpclient",
)  # fmt: skip
_LOCKS = ("asyncio.locks", "eyewall.loop.locks", "tornado.locks")
_POOLS = ("eyewall.guard.pools", "eyewall.guard.breakers.bulkhead")
_EXECUTORS = ("eyewall.guard.executors", "asyncio.threads")
#: Methods that return a plain future for what another machine has to bring, so that nothing stands below the line.
_CALLS = frozenset(("fetch", "read_until", "read_until_regex", "read_bytes", "read_into", "read_until_close"))
#: Tasks of servers that serve requests: the end of the file's name, and the function.
_SERVERS = (
    ("tornado/web.py", "_execute"),
    ("aiohttp/web_protocol.py", "start"),
    ("aiohttp/web_protocol.py", "_handle_request"),
    ("uvicorn/protocols/http/h11_impl.py", "run_asgi"),
    ("uvicorn/protocols/http/httptools_impl.py", "run_asgi"),
)
#: What the context manager of a time limit is called, in all libraries that have one.
_LIMITS = ("timeout", "deadline", "cancelscope")


class Kind(enum.Enum):
    """What a request waits for; the value says it to people."""

    DEPENDENCY = "another service to answer"
    LOCK = "a lock"
    EXECUTOR = "a job in an executor"
    POOL = "a resource of a pool"
    THREAD = "a thread to be free"
    SHARED = "one of a few that others have"
    OTHER = "something"


class Link(NamedTuple):
    """One coroutine in a chain of awaits, and its frame."""

    coroutine: Any
    frame: FrameType


class Stand(NamedTuple):
    """A request that waits.

    `place`: where. `limited`: something limits for how long. `lock`: what it waits for, of a LOCK where that can be
    seen. `route`: of an application of Eyewall's. `age`: of the request, in seconds; 0.0 where nobody knows.
    """

    task: asyncio.Task[Any]
    links: list[Link]
    place: Place
    kind: Kind
    limited: bool
    lock: object
    route: str
    age: float

    @property
    def frames(self) -> list[FrameType]:
        """The frames of the chain, the outermost first."""
        return [link.frame for link in self.links]


class Standing:
    """The requests that wait, anew with each look, for the detectors that come after it.

    `stands` are the oldest; it is empty between looks. `full`: there are more than were looked at. `wall`: the clock
    that requests are stamped with.
    """

    name = "requests that wait"

    def __init__(self, sweep: Sweep, most: int = MOST, wall: Callable[[], float] = time.time) -> None:
        self.stands: list[Stand] = []
        self.full = False
        self._sweep = sweep
        self._most = most
        self._wall = wall
        self._loop: asyncio.AbstractEventLoop | None = None
        # Of other servers, in the order in which they were seen first.
        self._others: WeakKeyDictionary[asyncio.Task[Any], float] = WeakKeyDictionary()
        # Those of them that are connections to a server of streams.
        self._connections: WeakSet[asyncio.Task[Any]] = WeakSet()

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        """Remembers the loop."""
        self._loop = loop

    def look(self) -> None:
        """Looks where the oldest requests stand."""
        self.stands, self.full = [], False
        for number, (task, age, route, limited) in enumerate(self._requests(YOUNG)):
            if len(self.stands) >= self._most or number >= LOOKED * self._most:
                self.full = True
                break
            stand = self._stand(task, age, route, limited)
            if stand is not None:
                self.stands.append(stand)

    def standing_for(self, kind: Kind) -> list[Stand]:
        """Returns the requests that stand for something of a kind; young ones, where no other does."""
        found = [each for each in self.stands if each.kind is kind]
        if found or self.full:
            return found
        stands = (self._stand(*each) for each in islice(self._requests(0.0), self._most))
        return [each for each in stands if each is not None and each.kind is kind]

    def _stand(self, task: asyncio.Task[Any], age: float, route: str, limited: bool) -> Stand | None:
        stand = stand_of(task, age, route, limited)
        if stand is not None and stand.kind is Kind.DEPENDENCY and task in self._connections:
            return None
        return stand

    def forget(self) -> None:
        """Keeps nothing until the next look."""
        self.stands = []

    def stop(self) -> None:
        """Keeps nothing."""
        self.stands = []
        self._others.clear()
        self._connections.clear()
        self._loop = None

    def _requests(self, young: float) -> Iterator[tuple[asyncio.Task[Any], float, str, bool]]:
        """Returns requests that are suspended, with their age, route, and whether they have a deadline; not those that
        are younger than `young`."""
        now = self._wall()
        loop = self._loop
        for task, run in runs_of_handlers().items():
            handler = run.handler
            age = now - run.request._start_time
            if (
                age < young
                or handler is None
                or task.done()
                or task.get_loop() is not loop
                or _streams(handler)
            ):
                continue
            yield task, age, run.label, run.deadline is not None
        for task, each in running().items():
            age = now - each.began
            if age < young or each.websocket or each.answering or task.done() or task.get_loop() is not loop:
                continue
            yield task, age, each.label, False
        for task in self._sweep.tasks:
            if task in self._others or task.done():
                continue
            if _is_connection(task):
                self._connections.add(task)
                self._others[task] = now
            elif _serves(task):
                self._others[task] = now
        for task, since in list(self._others.items()):
            if task.done():
                del self._others[task]
            elif now - since >= young and _is_inside(task):
                # A task for each request has been there for as long as that.
                yield task, now - since if _serves_one(task) else 0.0, "", False


def _streams(handler: Any) -> bool:
    """Whether the response has begun, or the request became a WebSocket."""
    return bool(getattr(handler, "_headers_written", False)) or any(
        base.__name__ == "WebSocketHandler" for base in type(handler).__mro__
    )


def _serves(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and any(
        code.co_name == name and code.co_filename.replace("\\", "/").endswith(file) for file, name in _SERVERS
    )


def _serves_one(task: asyncio.Task[Any]) -> bool:
    return getattr(task.get_coro(), "__name__", "") == "run_asgi"


def _is_connection(task: asyncio.Task[Any]) -> bool:
    """Whether a server of streams has made it for a client."""
    origin = getattr(task.get_coro(), "cr_origin", None) or ()
    return any(
        file == asyncio.streams.__file__ and function == "connection_made" for file, _, function in origin[:1]
    )


def _is_inside(task: asyncio.Task[Any]) -> bool:
    """Whether a server is within a request: between two, it awaits a future itself. That of Tornado's has a task for
    each, which awaits a future where the handler is a generator-based coroutine."""
    coroutine = task.get_coro()
    return isinstance(getattr(coroutine, "cr_await", None), CoroutineType) or (
        getattr(coroutine, "__name__", "") == _SERVERS[0][1]
    )


def stand_of(
    task: asyncio.Task[Any], age: float = 0.0, route: str = "", limited: bool = False
) -> Stand | None:
    """Returns where a task stands that does not run; None where that is nowhere in the application."""
    links, end = chain(task)
    at = next((at for at in range(len(links) - 1, -1, -1) if is_own(place_of(links[at].frame))), None)
    if at is None:
        job = waiting_job([link.frame for link in links])
        if job is None:
            return None
        return Stand(task, links, definition(job), Kind.THREAD, limited, None, route, age)
    frame = links[at].frame
    owner = next(
        (link.frame.f_locals.get("self") for link in links if link.frame.f_code.co_name == "_execute"), None
    )
    if owner is not None and _streams(owner):
        return None
    below = links[at + 1 :]
    call, arguments = awaited_call(frame.f_code, frame.f_lineno or 0)
    kind, lock = _kind(below, end, call)
    if kind in (Kind.OTHER, Kind.DEPENDENCY) and is_borrowing(frame, [link.frame for link in below]):
        kind = Kind.SHARED
    limited = limited or (call == "fetch" and arguments.get("request_timeout", 0) not in (0, 0.0, None))
    return Stand(task, links, place_of(frame), kind, limited or _is_limited(links), lock, route, age)


def chain(task: asyncio.Task[Any]) -> tuple[list[Link], object]:
    """Returns the coroutines that a task is suspended in, the outermost first, and the future at the end."""
    links: list[Link] = []
    end: object = None
    link: Any = task
    # What drives the generator that is being walked through.
    runner: Any = None
    for _ in range(DEPTH):
        following: Any
        if isinstance(link, asyncio.Future):
            end = link
            following = None
            if isinstance(link, asyncio.Task):
                following = None if link.done() else link.get_coro()
            elif (runner := _runner_of(link)) is not None:
                following = runner.gen
            else:
                following = next((each for each in getattr(link, "_children", ()) if not each.done()), None)
        elif isinstance(link, GeneratorType):
            following = link.gi_yieldfrom
            if following is None and runner is not None:
                following, runner = runner.future, None
        elif isinstance(link, AsyncGeneratorType):
            following = link.ag_await
        else:
            following = awaiting.within(link)
        frame = frame_of(link)
        if frame is not None:
            links.append(Link(link, frame))
        if following is None:
            break
        link = following
    return links, end


def _runner_of(future: asyncio.Future[Any]) -> Any:
    """Returns the runner of the generator-based coroutine that completes `future`; that of Tornado's is kept by a
    callback of the future. None where there is none."""
    found = runner_of(future)
    if found is not None or future.done():
        return found
    for callback, _ in getattr(future, "_callbacks", None) or ():
        for cell in getattr(callback, "__closure__", None) or ():
            try:
                each = cell.cell_contents
            except ValueError:
                continue
            if getattr(each, "result_future", None) is future and getattr(each, "gen", None) is not None:
                return each
    return None


def _kind(below: list[Link], end: object, call: str) -> tuple[Kind, object]:
    for link in below:
        module = str(link.frame.f_globals.get("__name__", ""))
        if module in _LOCKS:
            if link.frame.f_code.co_name in ("acquire", "__aenter__"):
                return Kind.LOCK, _lock_in(link.coroutine)
            return Kind.OTHER, None
        if module.startswith(_EXECUTORS):
            return Kind.EXECUTOR, None
        if module.startswith(_POOLS):
            return Kind.POOL, None
        if module.startswith(_DEPENDENCIES):
            return Kind.DEPENDENCY, None
    if isinstance(end, asyncio.Future) and any(
        getattr(callback, "__qualname__", "").startswith("_chain_future.")
        for callback, _ in getattr(end, "_callbacks", None) or ()
    ):
        return Kind.EXECUTOR, None
    if not below and isinstance(end, asyncio.Future):
        if call in _CALLS:
            return Kind.DEPENDENCY, None
        if call == "acquire":
            return Kind.LOCK, None
    return Kind.OTHER, None


def _lock_in(coroutine: object) -> object:
    """Returns the lock that a coroutine of its own stands in."""
    return next((each for each in gc.get_referents(coroutine) if type(each).__module__ in _LOCKS), None)


def _is_limited(links: list[Link]) -> bool:
    """Whether some coroutine of a chain is within a time limit: in `wait_for`, or the context manager of a limit."""
    for link in links:
        if link.frame.f_code.co_name in ("wait_for", "with_timeout"):
            return True
        for each in gc.get_referents(link.coroutine):
            if isinstance(each, MethodType) and any(
                name in type(each.__self__).__name__.lower() for name in _LIMITS
            ):
                return True
    return False


def awaited_call(code: CodeType, line: int) -> tuple[str, Mapping[str, object]]:
    """Returns what is called in the `await` at `line` of the function of `code`: the name, and those arguments with a
    name that are constants, `...` for others. An empty name where that can't be known."""
    around = [each for each in _calls(code) if each[0] <= line <= each[1]]
    if not around:
        return "", {}
    _, _, name, arguments = min(around, key=lambda each: each[1] - each[0])
    return name, dict(arguments)


@lru_cache(maxsize=256)
def _calls(code: CodeType) -> tuple[tuple[int, int, str, tuple[tuple[str, object], ...]], ...]:
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    try:
        tree = ast.parse(textwrap.dedent("".join(inspect.getblock(lines))))
    except (SyntaxError, ValueError, RecursionError, SystemError):
        # CPython 3.11 raises SystemError where the collector runs finalizers while it makes the tree.
        return ()
    before = code.co_firstlineno - 1
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Await | ast.Yield) and isinstance(node.value, ast.Call):
            call = node.value
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            arguments = tuple(
                (each.arg, each.value.value if isinstance(each.value, ast.Constant) else ...)
                for each in call.keywords
                if each.arg is not None
            )
            found.append((node.lineno + before, (node.end_lineno or node.lineno) + before, name, arguments))
    return tuple(found)
