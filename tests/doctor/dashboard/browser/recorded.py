"""What a process of a web shop has answered, recorded and put into words: what the page is tested with and pictured."""

from __future__ import annotations

import math
import random
from typing import Any

#: When the recording begins, in seconds since the epoch.
START = 1_790_000_000.0
SHOP = "/srv/shop/"


def place(file: str, line: int, function: str, source: str = "") -> dict[str, Any]:
    return {"file": SHOP + file, "line": line, "function": function, "source": source}


REPORT = place(
    "shop/reports.py", 42, "MonthlyReport.get", "rows = requests.get(f'{LEDGER}/orders?month={month}').json()"
)
MAIL = place("shop/checkout.py", 88, "Checkout.post", "send_receipt(order, self.current_user)")
CACHE = place("shop/cache.py", 31, "Cache.fetch", "async with self._lock:")
STOCK = place("shop/stock.py", 57, "Stock.reserve", "async with ledger.lock:")
LEDGER = place("shop/ledger.py", 23, "Ledger.book", "async with stock.lock:")
FEED = place("shop/feed.py", 19, "Feed.pump", "message = await self.queue.get()")
SEARCH = place("shop/search.py", 64, "Search.get", "found = await self.settings['index'].query(words)")
IMAGE = place("shop/images.py", 27, "Thumbnail.get", "data = await pool.run(shrink, picture)")


def evidence(**known: Any) -> dict[str, Any]:
    return {"stacks": {}, "counts": {}, "wall": None, "cpu": None, "error": None, **known}


def finding(**changes: Any) -> dict[str, Any]:
    """A blocked loop, or something else by `changes`."""
    found: dict[str, Any] = {
        "rule": "loop-blocked",
        "severity": "error",
        "summary": "The event loop stood still for 1.84 s: requests.get waited for the network in it, and nobody else "
        "was served meanwhile.",
        "place": REPORT,
        "subject": {
            "method": "GET",
            "path": "/reports/2026-10",
            "handler": "MonthlyReport",
            "id": "f3a9-1182",
        },
        "evidence": {
            "stacks": {
                "where it stood": [
                    REPORT,
                    place(
                        "../lib/python3.12/site-packages/requests/api.py",
                        73,
                        "get",
                        "return request('get', url, params=params, **kwargs)",
                    ),
                    place(
                        "../lib/python3.12/ssl.py", 1166, "SSLSocket.read", "return self._sslobj.read(len)"
                    ),
                ]
            },
            "counts": {"connections that waited": 214},
            "wall": 1.84,
            "cpu": 0.021,
            "error": None,
        },
        "advice": "Use an asynchronous client: await AsyncHTTPClient().fetch(…). Where there is none, put the call "
        "into an executor.",
        "first_seen": "2026-09-21T14:01:12.500Z",
        "last_seen": "2026-09-21T14:13:15.250Z",
        "count": 7,
    }
    return {**found, **changes}


FINDINGS: list[dict[str, Any]] = [
    finding(),
    finding(
        rule="coroutine-never-awaited",
        severity="warning",
        summary="The coroutine send_receipt was called and never awaited: it did not run.",
        place=MAIL,
        subject={"method": "POST", "path": "/checkout", "handler": "Checkout"},
        evidence=evidence(),
        advice="Write await in front of the call, or start a task with eyewall.guard.spawn and keep it.",
        first_seen="2026-09-21T14:04:01.000Z",
        last_seen="2026-09-21T14:11:40.000Z",
        count=23,
    ),
    finding(
        rule="deadlock",
        severity="error",
        summary="Two tasks wait for each other: each holds a lock that the other one wants.",
        place=STOCK,
        subject={"task": "reserve 1182"},
        evidence=evidence(
            stacks={"task reserve 1182": [STOCK], "task book 77": [LEDGER]}, counts={"tasks": 2}, wall=94.0
        ),
        advice="Take the two locks in the same order everywhere.",
        first_seen="2026-09-21T14:12:01.000Z",
        last_seen="2026-09-21T14:12:01.000Z",
        count=1,
    ),
    finding(
        rule="executor-saturated",
        severity="warning",
        summary="All 4 workers of the executor “images” are busy, and jobs wait 2.1 s for one.",
        place=IMAGE,
        subject={"method": "GET", "path": "/thumbnails/91", "handler": "Thumbnail"},
        evidence=evidence(counts={"workers": 4, "queued": 61}, wall=2.1),
        advice="Give it more workers, or a shorter queue, so that it refuses sooner what it can’t do.",
        first_seen="2026-09-21T14:08:20.000Z",
        last_seen="2026-09-21T14:10:02.000Z",
        count=4,
    ),
    finding(
        rule="exception-lost",
        severity="notice",
        summary="A task has failed, and nobody asked for its exception.",
        place=FEED,
        subject={"task": "feed 12"},
        evidence=evidence(error="KeyError: 'price'"),
        advice="Await the task, or give it a done callback that looks at its exception.",
        first_seen="2026-09-21T14:02:20.000Z",
        last_seen="2026-09-21T14:02:20.000Z",
        count=1,
    ),
]


def route(
    pattern: str, handler: str, count: int, mean: float, split: tuple[float, float, float, float, float]
) -> dict[str, Any]:
    seconds = count * mean
    parts = dict(zip(("queued", "receiving", "running", "blocking", "waiting"), split, strict=True))
    return {
        "route": pattern,
        "handler": handler,
        "count": count,
        "seconds": seconds,
        **{name: seconds * part for name, part in parts.items()},
        "suspended": count // 2,
        "measured": count // 4,
    }


def entry(kind: str, number: int, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": f"7f31c0{number:06x}",
        "kind": kind,
        "peer": f"10.4.{number // 250 % 250}.{number % 250 + 1}",
        "route": "",
        "label": "HTTP/1.1",
        "age": round(3 + (number * 37 % 4000) * 1.7, 3),
        "idle": round((number * 11 % 300) * 0.1, 3),
        "bytes_in": 400 + number * 31 % 90_000,
        "bytes_out": 1200 + number * 97 % 3_000_000,
    }
    return {**found, **changes}


def requests() -> list[dict[str, Any]]:
    told = [
        ("GET /reports/2026-10", "/reports/(.*)", 1.912, REPORT, "the network, in requests.get"),
        ("POST /checkout", "/checkout", 0.874, MAIL, "the answer to POST https://pay.example/charge"),
        ("GET /search?q=lamp", "/search", 0.231, SEARCH, "a future of the connection to the index"),
        ("GET /thumbnails/91", "/thumbnails/(\\d+)", 2.304, IMAGE, "the executor images, in its queue"),
        ("GET /thumbnails/92", "/thumbnails/(\\d+)", 2.117, IMAGE, "the executor images, in its queue"),
        ("GET /thumbnails/97", "/thumbnails/(\\d+)", 1.433, IMAGE, "the executor images, in its queue"),
        ("GET /cart", "/cart", 0.012, CACHE, "a lock that task cache warm-up holds"),
    ]
    return [
        entry(
            "request",
            number,
            label=label,
            route=pattern,
            age=age,
            idle=age,
            place=where,
            waits_for=words,
            bytes_out=0,
        )
        for number, (label, pattern, age, where, words) in enumerate(told, 1)
    ]


def opened(connections: int = 214, websockets: int = 38) -> dict[str, list[dict[str, Any]]]:
    return {
        "connections": [entry("connection", number) for number in range(1, connections + 1)],
        "requests": requests(),
        "websockets": [
            entry("websocket", 20_000 + number, label=f"GET /feed/{number % 7}", route="/feed/(.*)")
            for number in range(1, websockets + 1)
        ],
        "event_streams": [
            entry("event_stream", 40_000 + number, label="GET /prices", route="/prices")
            for number in range(1, 7)
        ],
        "client_connections": [
            entry("client_connection", 50_000 + number, peer="10.9.0.4:9200", label="http://index:9200")
            for number in range(1, 5)
        ],
    }


def histogram(mean: float, count: int = 1000) -> dict[str, Any]:
    return {"count": count, "mean": mean, "median": mean * 0.8, "p99": mean * 6, "largest": mean * 9}


def item(
    kind: str, name: str, counters: dict[str, int], times: dict[str, float], **state: Any
) -> dict[str, Any]:
    """Something of the guard; `times`: means."""
    return {
        "kind": kind,
        "name": name,
        "state": state,
        "counters": counters,
        "histograms": {each: histogram(mean) for each, mean in times.items()},
    }


EXECUTOR = {"medium": "threads", "waiting": 0, "closed": False}
CLOSED = {"state": "closed", "retry_after": 0.0, "openings": 0, "reason": "", "calls": 100}

GUARD: list[dict[str, Any]] = [
    item(
        "executor",
        "images",
        {"submitted": 18_211, "done": 18_120, "failed": 3, "refused": 26},
        {"queue_wait": 0.41, "run_time": 0.12},
        **EXECUTOR,
        workers=4,
        busy=4,
        queue=64,
        queued=61,
        full="refuse",
        oldest=2.31,
        callers="shop/images.py:27 (61)",
    ),
    item(
        "executor",
        "default",
        {"submitted": 402, "done": 401, "failed": 0, "refused": 0},
        {"queue_wait": 0.0002, "run_time": 0.018},
        **EXECUTOR,
        workers=8,
        busy=1,
        queue=1_000,
        queued=0,
        full="wait",
        oldest=0.02,
        callers="",
    ),
    item(
        "pool",
        "postgres",
        {"lent": 91_233, "opened": 14, "timeouts": 0},
        {"wait": 0.0011},
        open=10,
        opening=0,
        idle=1,
        lent=9,
        waiting=0,
        min_size=2,
        max_size=10,
        max_waiting=100,
        failing=False,
        held_longest=0.84,
        closed=False,
    ),
    item(
        "breaker",
        "payments",
        {"calls": 8_123, "failed": 96, "refused": 412, "opened": 3},
        {"time": 0.21},
        state="open",
        since=12.4,
        retry_after=17.6,
        openings=3,
        reason="51 % of 100 calls have failed",
        calls=100,
        failure_rate=0.51,
        slow_rate=0.12,
    ),
    item(
        "breaker",
        "index",
        {"calls": 40_120, "failed": 4, "refused": 0, "opened": 0},
        {"time": 0.019},
        **CLOSED,
        since=3122.0,
        failure_rate=0.0,
        slow_rate=0.02,
    ),
    item(
        "requests",
        "server",
        {"passed": 211_094, "waited": 32, "refused": 0},
        {},
        most=256,
        queue=128,
        patience=5.0,
        busy=7,
        waiting=0,
    ),
    item(
        "connections",
        "server",
        {"admitted": 30_211, "refused": 0},
        {},
        total=10_000,
        per_address=100,
        open=214,
        addresses=171,
    ),
    item("registry", "connections", {}, {}),
]


ROUTES = [
    route("/reports/(.*)", "MonthlyReport", 181, 1.21, (0.0, 0.0, 0.03, 0.88, 0.09)),
    route("/thumbnails/(\\d+)", "Thumbnail", 18_120, 0.0104, (0.02, 0.0, 0.05, 0.0, 0.93)),
    route("/checkout", "Checkout", 1_911, 0.0812, (0.01, 0.11, 0.14, 0.02, 0.72)),
    route("/search", "Search", 22_480, 0.0052, (0.0, 0.0, 0.31, 0.0, 0.69)),
    route("/", "Front", 91_877, 0.0011, (0.0, 0.0, 0.97, 0.0, 0.03)),
    route("/cart", "Cart", 30_112, 0.0009, (0.04, 0.02, 0.71, 0.0, 0.23)),
    route("/upload", "Upload", 97, 0.2301, (0.0, 0.81, 0.06, 0.0, 0.13)),
]


def state(pid: int, seconds: float = 0.0) -> dict[str, Any]:
    """The answer to `state`, so many seconds after the start."""
    found = opened()
    blocked = int(seconds) % 40 == 38
    return {
        "process": {
            "pid": pid,
            "title": "",
            "group": None,
            "program": ["eyewall", "run", "shop:app"],
            "executable": "/usr/bin/python3",
            "python": "3.12.4",
            "eyewall": "1.0.0",
            "watched": 903.2 + seconds,
            "loops": [
                {
                    "kind": "uvloop.Loop",
                    "thread": "MainThread",
                    "running": True,
                    "lag": 1.84 if blocked else 0.0018,
                    "tasks": 61,
                    "busy": 0.34,
                    "lags": histogram(0.002),
                    "turns": histogram(0.0004),
                }
            ],
        },
        "memory": int(183e6 + 90_000 * seconds),
        "files": 271,
        "threads": 14,
        "tasks": [
            {"place": place("shop/feed.py", 12, "Feed.pump"), "count": 38},
            {"place": place("shop/images.py", 20, "Thumbnail.get"), "count": 9},
            {"place": place("shop/cache.py", 25, "Cache.warm"), "count": 1},
            {"place": None, "count": 13},
        ],
        "tasks_left_out": 0,
        "routes": [{**each, **_since(each, seconds)} for each in ROUTES],
        "open": {"counts": {name: len(some) for name, some in found.items()}, "entries": found},
        "findings": 5,
        "guard": GUARD,
        "guard_left_out": 0,
        "missing": [],
    }


def _since(route: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Its numbers so many seconds later: they grow as they have within the first ten minutes."""
    return {
        name: type(value)(value * (1 + seconds / 600))
        for name, value in route.items()
        if isinstance(value, int | float)
    }


def points(until: float, number: int = 600) -> list[list[float | None]]:
    """Ten minutes of history before `until`, always the same."""
    chance = random.Random(7)
    found: list[list[float | None]] = []
    for second in range(number):
        wave = math.sin(second / 70) * 0.5 + 0.5
        blocked = second % 97 in (52, 53) or second > number - 4
        lag = (1.1 + 0.7 * chance.random()) if blocked else 0.001 + 0.004 * chance.random()
        busy = 0.99 if blocked else 0.22 + 0.2 * wave + 0.05 * chance.random()
        rate = 20 * chance.random() if blocked else 210 + 130 * wave + 30 * chance.random()
        memory = 150e6 + 55_000 * second + 4e6 * (second % 41) / 41
        found.append([until - number + second, lag, busy, rate, memory])
    return found


def task(
    number: int, name: str, coroutine: str, chain: list[dict[str, Any]], **changes: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": f"7f22{number:08x}",
        "name": name,
        "coroutine": coroutine,
        "defined": chain[0] if chain else None,
        "state": "waiting",
        "cancelling": False,
        "age": 904.1 - number % 900,
        "waiting": 0.4 + number % 90,
        "subject": None,
        "place": chain[-1] if chain else None,
        "chain": chain,
        "waits_for": waits("future", "a future"),
        "holds": [],
    }
    return {**found, **changes}


def waits(kind: str, words: str, **changes: Any) -> dict[str, Any]:
    return {"kind": kind, "words": words, "seconds_left": None, "tasks": [], "held_by": None, **changes}


def stacks(pid: int) -> dict[str, Any]:
    serve = place("shop/main.py", 14, "main", "await asyncio.gather(serve(), warm, feeds())")
    order = place("shop/checkout.py", 71, "Checkout.post", "await self.reserve(order)")
    tasks = [
        task(
            1,
            "main",
            "main",
            [serve],
            waits_for=waits("gather", "what asyncio.gather waits for", tasks=["cache warm-up", "feed 1"]),
        ),
        task(
            2,
            "cache warm-up",
            "Cache.warm",
            [
                place("shop/cache.py", 25, "Cache.warm", "await self.fetch(key)"),
                place("shop/cache.py", 34, "Cache.fetch", "value = await self.settings['index'].get(key)"),
            ],
            waits_for=waits("future", "the answer to GET http://index:9200/warm"),
            holds=[{"what": "the lock at shop/cache.py:31", **CACHE}],
        ),
        task(3, "feed 1", "Feed.pump", [FEED], waits_for=waits("queue", "an item of a queue with 0 of 100")),
        task(4, "feed 2", "Feed.pump", [FEED], waits_for=waits("queue", "an item of a queue with 0 of 100")),
        task(
            5,
            "reserve 1182",
            "Stock.reserve",
            [order, STOCK],
            subject={"method": "POST", "path": "/checkout", "handler": "Checkout"},
            waits_for=waits(
                "lock",
                "the lock taken at shop/ledger.py:21",
                held_by=[
                    {
                        "task": "book 77",
                        **place("shop/ledger.py", 21, "Ledger.book", "async with ledger.lock:"),
                    }
                ],
            ),
            holds=[{"what": "the lock of the stock", **STOCK}],
            waiting=94.2,
        ),
        task(
            6,
            "book 77",
            "Ledger.book",
            [LEDGER],
            waits_for=waits(
                "lock",
                "the lock taken at shop/stock.py:55",
                held_by=[
                    {
                        "task": "reserve 1182",
                        **place("shop/stock.py", 55, "Stock.reserve", "async with stock.lock:"),
                    }
                ],
            ),
            holds=[{"what": "the lock of the ledger", **LEDGER}],
            waiting=94.2,
        ),
        task(
            7,
            "GET /thumbnails/91",
            "Thumbnail.get",
            [IMAGE],
            subject={"method": "GET", "path": "/thumbnails/91", "handler": "Thumbnail"},
            waits_for=waits("executor", "a job of the executor images, which waits in its queue"),
            waiting=2.3,
        ),
        task(
            8,
            "GET /cart",
            "Cart.get",
            [place("shop/cart.py", 18, "Cart.get", "cart = await self.cache.fetch(key)"), CACHE],
            subject={"method": "GET", "path": "/cart", "handler": "Cart"},
            waits_for=waits(
                "lock", "the lock at shop/cache.py:31", held_by=[{"task": "cache warm-up", **CACHE}]
            ),
            waiting=0.01,
        ),
        task(
            9,
            "sweep",
            "Sweeper.run",
            [place("shop/sweep.py", 9, "Sweeper.run", "await asyncio.sleep(30)")],
            waits_for=waits("sleep", "a timer", seconds_left=12.7),
        ),
        task(
            10,
            "rebuild",
            "Index.rebuild",
            [place("shop/search.py", 90, "Index.rebuild", "self.add(document)")],
            state="running",
            waiting=None,
            waits_for=None,
        ),
    ]
    return {
        "pid": pid,
        "time": "2026-09-21T14:13:20.000Z",
        "tasks": tasks,
        "omitted": 0,
        "threads": [
            {
                "name": "MainThread",
                "ident": 1,
                "daemon": False,
                "place": REPORT,
                "stack": [serve, REPORT],
            },
            {"name": "images_0", "ident": 2, "daemon": True, "place": IMAGE, "stack": [IMAGE]},
        ],
    }


def many_tasks(number: int) -> dict[str, Any]:
    """So many tasks, of which each tenth waits for the nine after it."""
    found = []
    for index in range(number):
        after = [f"job {each}" for each in range(index + 1, index + 10)] if index % 10 == 0 else []
        found.append(
            task(
                index,
                f"job {index}",
                "Jobs.run",
                [FEED, CACHE],
                waits_for=waits("gather", "others", tasks=after),
            )
        )
    return {**stacks(1), "tasks": found}


def generation(
    waiting: int, collections: int, collected: int, seconds: float, longest: float
) -> dict[str, Any]:
    return {
        "waiting": waiting,
        "collections": collections,
        "collected": collected,
        "uncollectable": 0,
        "seconds": seconds,
        "longest": longest,
    }


def memory() -> dict[str, Any]:
    return {
        "resident": 201_300_000,
        "since": 300.0,
        "grown": 16_500_000,
        "kinds": [
            {"name": "tasks", "count": 61, "grown": 2},
            {"name": "threads", "count": 14, "grown": 0},
            {"name": "files", "count": 271, "grown": 31},
            {"name": "connections", "count": 214, "grown": 12},
            {"name": "requests", "count": 7, "grown": -3},
            {"name": "websockets", "count": 38, "grown": 38},
            {"name": "event_streams", "count": 6, "grown": 0},
            {"name": "client_connections", "count": 4, "grown": 0},
        ],
        "handlers": [
            {"name": "FeedSocket", "count": 38},
            {"name": "Thumbnail", "count": 3},
            {"name": "MonthlyReport", "count": 1},
        ],
        "kept": [
            {"name": "FeedSocket", "noun": "WebSocket handlers", "number": 412, "oldest": 811.0},
            {"name": "Cart", "noun": "handlers", "number": 3, "oldest": 4.2},
        ],
        "collector": {
            "enabled": True,
            "threshold": [700, 10, 10],
            "frozen": 0,
            "generations": [
                generation(311, 4021, 71_234, 0.81, 0.0021),
                generation(4, 365, 8_123, 0.42, 0.0082),
                generation(2, 31, 912, 1.92, 0.1104),
            ],
        },
    }


def memory_sites() -> dict[str, Any]:
    return {
        "seconds": 5.0,
        "cost": "Tracing has made the process slower for 5 s.",
        "resident": 201_300_000,
        "traced": 9_100_000,
        "sites": [
            {"place": FEED, "bytes": 5_210_000, "blocks": 31_220, "total_bytes": 5_400_000},
            {"place": CACHE, "bytes": 912_000, "blocks": 4100, "total_bytes": 2_000_000},
        ],
    }
