"""What a process has answered about single requests, who waits for whom, and where its time went."""

from __future__ import annotations

from typing import Any

from .recorded import CACHE, LEDGER, SHOP, START, STOCK, place

QUERY = place("shop/search.py", 64, "Search.get", "found = await self.settings['index'].query(words)")
PRICES = place("shop/search.py", 71, "Search.get", "prices = await asyncio.gather(*map(self.price, found))")


def segment(
    phase: str, start: float, seconds: float, where: dict[str, Any] | None = None, words: str = ""
) -> dict[str, Any]:
    return {
        "phase": phase,
        "start": start,
        "seconds": seconds,
        "place": where,
        "source": "" if where is None else where["source"],
        "words": words,
    }


def request(
    number: int, path: str, handler: str, segments: list[dict[str, Any]], **changes: Any
) -> dict[str, Any]:
    seconds = round(segments[-1]["start"] + segments[-1]["seconds"], 6) if segments else 0.0
    return {
        "id": f"7f{number:04x}",
        "request_id": f"01J{number:05}",
        "method": "GET",
        "path": path,
        "route": path,
        "handler": handler,
        "status": 200,
        "started": START + number,
        "seconds": seconds,
        "live": False,
        "recorded": True,
        "left_out": 0,
        "segments": segments,
        **changes,
    }


#: A search that has waited for an index and for prices, and blocked the loop in between.
SEARCH = request(
    1,
    "/search",
    "Search",
    [
        segment("queued", 0.0, 0.12),
        segment("receiving", 0.12, 0.03),
        segment("running", 0.15, 0.002),
        segment("waiting", 0.152, 0.41, QUERY, "file descriptor 31"),
        segment("blocking", 0.562, 0.094),
        segment("waiting", 0.656, 0.3, PRICES, "9 tasks: price 1, price 2, price 3, …"),
        segment("running", 0.956, 0.004),
    ],
)


def timelines(**changes: Any) -> dict[str, Any]:
    return {
        "counted": True,
        "recording": 12.3,
        "left_out": 0,
        "beyond": 0,
        "requests": [
            request(
                3,
                "/stock/reserve",
                "Reserve",
                [segment("waiting", 1.5, 6.5, STOCK, "lock at 0x7f3a")],
                live=True,
                recorded=False,
                status=None,
            ),
            SEARCH,
            request(2, "/healthz", "Health", [segment("running", 0.0, 0.0003)], status=503),
        ],
        **changes,
    }


def node(name: str, kind: str, label: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "kind": kind,
        "label": label,
        "place": None,
        "subject": None,
        "seconds": None,
        "words": "",
        "waiters": 0,
        **changes,
    }


def edge(source: str, target: str, label: str = "waits for", where: Any = None) -> dict[str, Any]:
    return {"from": source, "to": target, "label": label, "place": where}


def waits(**changes: Any) -> dict[str, Any]:
    """Two tasks that each hold what the other one wants, and some who wait for one of them."""
    customers = [
        node(
            f"t{number}",
            "request",
            f"POST /orders/{number}",
            words="lock 'stock'",
            place=CACHE,
            seconds=2.5,
            subject={"method": "POST", "path": f"/orders/{number}", "handler": "Order"},
        )
        for number in range(3)
    ]
    return {
        "nodes": [
            node("ta", "task", "reserve 1182", words="lock 'ledger'", place=STOCK, seconds=41.0, waiters=1),
            node("rl", "lock", "lock 'ledger'", waiters=1),
            node("tb", "task", "book 88", words="lock 'stock'", place=LEDGER, seconds=41.0, waiters=1),
            node("rs", "lock", "lock 'stock'", waiters=4),
            *customers,
            node("x1", "executor", "images", waiters=1),
            node("t9", "task", "shrink", words="the job shrink, running", seconds=0.2),
            node("h1", "thread", "images_0", waiters=1),
        ],
        "edges": [
            edge("ta", "rl"),
            edge(
                "rl",
                "tb",
                "is held by",
                place("shop/ledger.py", 21, "Ledger.book", "async with ledger.lock:"),
            ),
            edge("tb", "rs"),
            edge(
                "rs",
                "ta",
                "is held by",
                place("shop/stock.py", 55, "Stock.reserve", "async with stock.lock:"),
            ),
            *[edge(each["id"], "rs") for each in customers],
            edge("t9", "x1"),
            edge("x1", "h1", "is held by"),
        ],
        "circles": [["ta", "rl", "tb", "rs"]],
        "left_out": 1412,
        "alone": 3500,
        "unseen": 0,
        "tasks": 4920,
        **changes,
    }


RUN = "BaseEventLoop.run_forever (/usr/lib/python3.12/asyncio/base_events.py:608)"
GET = f"Report.get ({SHOP}shop/reports.py:42)"
DUMPS = "dumps (/usr/lib/python3.12/json/__init__.py:231)"
SORTED = f"ranked ({SHOP}shop/reports.py:77)"


def profiled() -> list[Any]:
    return [
        [["MainThread", RUN, GET, DUMPS], 2.0],
        [["MainThread", RUN, GET, SORTED], 1.0],
        [["MainThread", RUN], 0.5],
        [["images_0", f"shrink ({SHOP}shop/images.py:12)"], 0.5],
    ]
