"""The workloads: what is asked, how often, what must come back, and in which unit the cost is told."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.load import Answer

#: What Chrome sends for a request from a page, with a few cookies: twelve fields with the Host that wrk adds,
#: about 700 bytes.
BROWSER = {
    "Connection": "keep-alive",
    "sec-ch-ua": '"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Referer": "http://127.0.0.1/overview/2026/november",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Cookie": "session=6e7d1c0f4b0a49f0b6a4a3e2d7c9f581; theme=dark; consent=all; tz=Europe%2FBerlin; "
    "_ga=GA1.1.1287630219.1732190391",
}
HELLO = b"Hello, World!"
SIZE = 10 * 1024 * 1024
SMALL_FILE = 100 * 1024


def document() -> bytes:
    """Returns a JSON document of 1 KiB, like a form of an application posts it."""
    items = [
        {"id": number, "name": f"article {number:04d}", "price": number * 1.25, "tags": ["new", "sale"]}
        for number in range(12)
    ]
    data: dict[str, object] = {"customer": 4711, "items": items, "note": ""}
    short = 1024 - len(json.dumps(data))
    data["note"] = "x" * short
    return json.dumps(data).encode()


DOCUMENT = document()


@dataclass(frozen=True)
class Workload:
    """One thing that is measured on every server that can do it."""

    name: str
    title: str
    #: How it is run: small, bulk, echo, broadcast, idle or import.
    kind: str
    #: Unit of the cost, and of the rate that is given for orientation (empty: none).
    unit: str
    rate: str = ""
    path: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: Is given the answer to one request; returns whether it is right.
    right: Callable[[Answer], bool] | None = None
    connections: int = 64
    #: WebSocket: size of a message, and whether it is compressed.
    size: int = 0
    compress: bool = False
    #: More rounds than this add nothing.
    rounds: int = 100
    #: More is better (renders per second).
    ascending: bool = False


def _hello(answer: Answer) -> bool:
    return answer.body == HELLO


def _user(answer: Answer) -> bool:
    wanted = {"id": "123", "name": "Ada Lovelace", "admin": True}
    return answer.content_type == "application/json" and json.loads(answer.body) == wanted


def _echoed(answer: Answer) -> bool:
    return answer.content_type == "application/json" and json.loads(answer.body) == json.loads(DOCUMENT)


def _counted(answer: Answer) -> bool:
    return answer.body == b"%d" % SIZE


def _large(answer: Answer) -> bool:
    return len(answer.body) == SIZE


def _small_file(answer: Answer) -> bool:
    return len(answer.body) == SMALL_FILE


_JSON = {"Content-Type": "application/json"}
_BINARY = {"Content-Type": "application/octet-stream"}
_PAYLOAD = b"\x00" * SIZE

WORKLOADS = (
    Workload(
        "plaintext", "Plain text, wrk's default headers", "small", "µs CPU/request", "requests/s",
        "/plaintext", right=_hello,
    ),
    Workload(
        "browser", "Plain text, 12 browser headers (700 bytes)", "small", "µs CPU/request", "requests/s",
        "/plaintext", headers=BROWSER, right=_hello,
    ),
    Workload(
        "json", "JSON, path parameter", "small", "µs CPU/request", "requests/s", "/user/123", right=_user,
    ),
    Workload(
        "post", "1 KiB JSON POST, parsed and echoed", "small", "µs CPU/request", "requests/s", "/echo",
        method="POST", headers=_JSON, body=DOCUMENT, right=_echoed,
    ),
    Workload(
        "suspend", "`async def get` with one real suspension", "small", "µs CPU/request", "requests/s",
        "/suspend", right=_hello,
    ),
    Workload(
        "connect", "A new connection for every request", "small", "µs CPU/request", "requests/s",
        "/plaintext", headers={"Connection": "close"}, right=_hello,
    ),
    Workload(
        "upload-streamed", "Upload of 10 MiB, streamed", "bulk", "ms CPU/upload", "uploads/s",
        "/upload/streamed", method="POST", headers=_BINARY, body=_PAYLOAD, right=_counted, connections=4,
    ),
    Workload(
        "upload-buffered", "Upload of 10 MiB, buffered", "bulk", "ms CPU/upload", "uploads/s",
        "/upload/buffered", method="POST", headers=_BINARY, body=_PAYLOAD, right=_counted, connections=4,
    ),
    Workload(
        "download", "Download of 10 MiB, written in chunks", "bulk", "ms CPU/download", "downloads/s",
        "/download", right=_large, connections=4,
    ),
    Workload(
        "static-100k", "Static file, 100 KiB", "small", "µs CPU/response", "responses/s", "/static/100k.bin",
        right=_small_file, connections=16,
    ),
    Workload(
        "static-10m", "Static file, 10 MiB", "bulk", "ms CPU/response", "responses/s", "/static/10m.bin",
        right=_large, connections=4,
    ),
    Workload("template", "Template page of 100 rows, escaped", "template", "renders/s", ascending=True),
    Workload("ws-32", "WebSocket echo, 32 B", "echo", "µs CPU/message", "messages/s", "/ws", size=32),
    Workload("ws-8k", "WebSocket echo, 8 KiB", "echo", "µs CPU/message", "messages/s", "/ws", size=8192),
    Workload(
        "ws-deflate", "WebSocket echo, 32 B, compressed", "echo", "µs CPU/message", "messages/s",
        "/ws-deflate", size=32, compress=True,
    ),
    Workload(
        "broadcast", "Broadcast of 64 B to 5,000 WebSockets", "broadcast", "ms CPU/broadcast", "", "/room",
        size=64, connections=5000, rounds=3,
    ),
    Workload(
        "idle-ws", "Memory of an idle WebSocket", "idle", "KiB/connection", path="/ws", connections=10000,
        rounds=1,
    ),
    Workload(
        "idle-http", "Memory of an idle keep-alive connection", "idle", "KiB/connection", path="/plaintext",
        connections=10000, rounds=1,
    ),
    Workload("import", "Importing what a handler needs: time", "import", "ms CPU"),
    Workload("import-memory", "Importing what a handler needs: memory after", "import", "MiB"),
)  # fmt: skip

BY_NAME = {workload.name: workload for workload in WORKLOADS}


def select(names: list[str] | None) -> list[Workload]:
    """Returns the workloads that `names` calls for, all for None. Raises ValueError for others."""
    if names is None:
        return list(WORKLOADS)
    unknown = set(names) - set(BY_NAME)
    if unknown:
        raise ValueError(f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(BY_NAME)}")
    return [workload for workload in WORKLOADS if workload.name in names]
