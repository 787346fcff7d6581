"""Who is let in, who waits, who is refused. Run it: eyewall run examples/guard/refusing.py"""

import asyncio
from typing import Any

from eyewall.guard import NATIVE, RateLimit, RequestLimit, registry
from eyewall.web import Application, RequestHandler, rate_limited, url

PROFILE = NATIVE.replace(connections=10_000, connections_per_address=200, requests=500, request_queue=200)

#: Two reports are made at once; eight more wait for half a second.
REPORTS = RequestLimit("reports", 2, queue=8, patience=0.5)

#: A client may search twice a second, and ten times in a row.
SEARCHES = RateLimit(2, 10, name="search")


def account(request: Any) -> str | None:
    """Returns whom a request counts for: None for nobody, so that it is not limited."""
    key: str | None = request.headers.get("X-Api-Key")
    return key


#: Each key may send three messages an hour.
MESSAGES = RateLimit(3, 3, per=3600.0, key=account, name="messages")


class Report(RequestHandler):
    async def get(self, name: str) -> None:
        await asyncio.sleep(0.2)
        self.write(f"report of {name}\n")


class Search(RequestHandler):
    def get(self) -> None:
        self.write("nothing found\n")


class Message(RequestHandler):
    def get(self) -> None:
        self.write("none\n")

    @rate_limited(MESSAGES)
    def post(self) -> None:
        self.write("sent\n")


class Open(RequestHandler):
    """What is open. In a program of yours, only for those who may know."""

    def get(self) -> None:
        self.write({"requests": [entry.as_dict() for entry in registry.requests.entries()]})

    def delete(self) -> None:
        self.write({"closed": registry.requests.close(route="/reports/(.*)")})


app = Application(
    [
        url("/reports/(.*)", Report).limited(REPORTS),
        url("/search", Search).limited(rate=SEARCHES),
        ("/messages", Message),
        ("/open", Open),
    ],
    profile=PROFILE,
)
