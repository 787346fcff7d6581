"""A shop that asks a warehouse, which can be broken and mended, and a search that may be slow.

eyewall run examples/guard/breakers.py
"""

from __future__ import annotations

import asyncio

from eyewall.client import AsyncHTTPClient, HostGuard, HTTPClientError, http_retry
from eyewall.guard import Bulkhead, CircuitBreaker, Policy, Retry, RetryBudget
from eyewall.web import Application, HTTPError, RequestHandler

guard = HostGuard(concurrent=20, retry=http_retry(), minimum_calls=5, open_for=0.5, open_for_most=10.0)

search = Policy(
    "search",
    retry=Retry("search", attempts=2, budget=RetryBudget(share=0.1)),
    breaker=CircuitBreaker("search", slow_after=1.0),
    bulkhead=Bulkhead("search", 20, max_waiting=50),
    timeout=2.0,
)


@search.guard(idempotent=True)
async def find(words: str) -> list[str]:
    # Stands for something that takes its time.
    await asyncio.sleep(0.01)
    return [f"{words}, green", f"{words}, black"]


class Search(RequestHandler):
    async def get(self) -> None:
        self.write({"found": await find(self.get_argument("words"))})


class Stock(RequestHandler):
    async def get(self) -> None:
        client = AsyncHTTPClient()
        url = f"http://{self.request.host}/warehouse"
        try:
            response = await client.fetch(url, guard=guard, request_timeout=2.0)
        except HTTPClientError as error:
            raise HTTPError(502, "the warehouse: %s", error) from None
        self.write(response.body)


class Warehouse(RequestHandler):
    """The dependency, which would be another program."""

    broken = False

    def get(self) -> None:
        if Warehouse.broken:
            raise HTTPError(500)
        self.write({"tea": 7})

    def post(self) -> None:
        Warehouse.broken = self.get_argument("state") == "broken"


app = Application([("/search", Search), ("/stock", Stock), ("/warehouse", Warehouse)])
