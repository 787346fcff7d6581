"""HTTP load: wrk for small requests, a client of our own for bodies of megabytes, and one request to verify.

The bulk client exists because wrk reads 8 KiB at a time, which makes it slower than the servers for large
responses, and because it drops the transfers that are under way at the end, which is several percent of a
hundred uploads.
"""

import http.client
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
#: No transfer may take longer, in seconds.
STALL = 60.0
READ_SIZE = 512 * 1024
WRITE_SIZE = 1024 * 1024


class LoadError(Exception):
    """A server did not answer as it must, or the load could not be applied."""


@dataclass(frozen=True)
class Load:
    """What a load generator counted: answers in `seconds`, and the 50th and 99th percentile in ms."""

    requests: int
    seconds: float
    p50: float = 0.0
    p99: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A response: status, content type and body."""

    status: int
    content_type: str
    body: bytes


_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


def parse_wrk(text: str) -> Load:
    """Parses wrk's output.

    Raises LoadError when it reports failed sockets or responses that are not 2xx or 3xx, or names no count of
    requests: such a run measures something else than what was asked.
    """
    counted = re.search(r"^\s*(\d+) requests in ([\d.]+)(us|ms|s|m)\b", text, re.MULTILINE)
    if counted is None:
        raise LoadError(f"wrk said nothing of requests: {text.strip()[-500:]!r}")
    errors = re.search(
        r"^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text, re.M
    )
    if errors is not None and any(int(number) for number in errors.groups()):
        raise LoadError(errors[0].strip())
    refused = re.search(r"^\s*Non-2xx or 3xx responses: (\d+)", text, re.MULTILINE)
    if refused is not None:
        raise LoadError(refused[0].strip())
    requests = int(counted[1])
    if requests == 0:
        raise LoadError("wrk got no answer at all")
    return Load(
        requests,
        float(counted[2]) * _UNITS[counted[3]] / 1000,
        _percentile(text, "50"),
        _percentile(text, "99"),
    )


def _percentile(text: str, which: str) -> float:
    found = re.search(rf"^\s*{which}%\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    return float(found[1]) * _UNITS[found[2]] if found else 0.0


def wrk_command(seconds: int, connections: int, *, patience: int) -> list[str]:
    """Returns wrk with one thread, without what it asks for. `patience`: seconds for a response. Raises LoadError."""
    program = shutil.which("wrk")
    if program is None:
        raise LoadError("wrk is not installed (Debian: apt install wrk)")
    return [program, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{patience}s"]


def wrk(
    port: int,
    path: str,
    *,
    seconds: int,
    connections: int,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Load:
    """Runs wrk with one thread for `seconds` (whole seconds: wrk knows no others). Raises LoadError."""
    command = [*wrk_command(seconds, connections, patience=20), "--latency"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.TemporaryDirectory(prefix="bench-wrk-") as folder:
        if body is not None:
            script = Path(folder) / "post.lua"
            content = "".join(f"\\{byte:03d}" for byte in body)
            script.write_text(f'wrk.method = "POST"\nwrk.body = "{content}"\n')
            command += ["-s", str(script)]
        command.append(f"http://{HOST}:{port}{path}")
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + STALL, check=False)
    if done.returncode:
        raise LoadError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    return parse_wrk(done.stdout)


def fetch(
    port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """Makes one request. Raises LoadError when there is no valid answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers.get_content_type(), response.read())
    except (OSError, http.client.HTTPException) as error:
        raise LoadError(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()


def refused(port: int, data: bytes) -> None:
    """Sends what is no request. Raises LoadError unless a status of 400 or more and the end come back."""
    answer = b""
    try:
        with socket.create_connection((HOST, port), timeout=20) as connection:
            connection.sendall(data)
            while chunk := connection.recv(READ_SIZE):
                answer += chunk
    except OSError as error:
        raise LoadError(f"a connection failed: {error!r}") from error
    if answer.count(b"HTTP/1.1 ") != 1 or not answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")):
        raise LoadError(f"not refused once: {answer[:200]!r}")


def repeat(port: int, request: bytes, times: int, status: int = 200) -> int:
    """Sends `request` `times` times on one connection, one after the other, and returns `times`.

    Every answer must have `status` and a Content-Length. Raises LoadError.
    """
    try:
        with socket.create_connection((HOST, port), timeout=20) as connection:
            reader = _Reader(status)
            for _ in range(times):
                connection.sendall(request)
                reader.begin()
                while not reader.feed(connection.recv(READ_SIZE)):
                    pass
    except OSError as error:
        raise LoadError(f"a request failed: {error!r}") from error
    return times


class _Reader:
    """Finds the end of responses that carry a Content-Length."""

    def __init__(self, status: int = 200) -> None:
        self._start = b"HTTP/1.1 %d " % status
        self._head = b""
        self._left = -1

    def begin(self) -> None:
        """A response is expected."""
        self._head = b""
        self._left = -1

    def feed(self, data: bytes | memoryview) -> bool:
        """Takes bytes; returns whether the response is complete. Raises LoadError for what it must not be."""
        if not data:
            raise LoadError("the server closed the connection in the middle")
        if self._left >= 0:
            self._left -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return False
            if not self._head.startswith(self._start):
                raise LoadError(f"not {self._start.decode()}: {self._head[:60]!r}")
            length = re.search(rb"\r\ncontent-length:\s*(\d+)\r\n", self._head[: end + 2], re.IGNORECASE)
            if length is None:
                raise LoadError("the response has no Content-Length")
            self._left = int(length[1]) - (len(self._head) - end - 4)
        if self._left < 0:
            raise LoadError("the response is longer than its Content-Length")
        return self._left == 0


class _Transfer:
    """One connection of the bulk client."""

    def __init__(self, port: int, head: bytes, body: bytes) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=20)
        self.socket.setblocking(False)
        self._parts = (head, body)
        self._unsent: list[memoryview] = []
        self._reader = _Reader()

    def begin(self) -> int:
        """Starts a request; returns the epoll events to wait for."""
        self._unsent = [memoryview(part) for part in self._parts if part]
        self._reader.begin()
        return self.write()

    def write(self) -> int:
        """Sends what the socket takes; returns the epoll events to wait for."""
        while self._unsent:
            part = self._unsent[0]
            try:
                sent = self.socket.send(part[:WRITE_SIZE])
            except BlockingIOError:
                return select.EPOLLOUT | select.EPOLLIN
            if sent == len(part):
                del self._unsent[0]
            else:
                self._unsent[0] = part[sent:]
        return select.EPOLLIN

    def read(self, buffer: bytearray, view: memoryview) -> bool:
        """Reads once; returns whether the response is complete."""
        return self._reader.feed(view[: self.socket.recv_into(buffer)])


def bulk(port: int, head: bytes, body: bytes, *, seconds: float, connections: int) -> Load:
    """Repeats a request with a large body or a large response, on `connections` at once.

    No request is begun after `seconds`, and all that were begun are awaited, so that the count is exact.
    Raises LoadError.
    """
    buffer = bytearray(READ_SIZE)
    view = memoryview(buffer)
    requests = 0
    start = time.perf_counter()
    with select.epoll() as poll:
        transfers: dict[int, _Transfer] = {}
        try:
            for _ in range(connections):
                transfer = _Transfer(port, head, body)
                transfers[transfer.socket.fileno()] = transfer
                poll.register(transfer.socket, transfer.begin())
            while transfers:
                events = poll.poll(STALL)
                if not events:
                    raise LoadError(f"nothing moved for {STALL:.0f} s")
                for descriptor, mask in events:
                    transfer = transfers[descriptor]
                    if mask & select.EPOLLOUT:
                        poll.modify(descriptor, transfer.write())
                    if mask & ~select.EPOLLOUT and transfer.read(buffer, view):
                        requests += 1
                        if time.perf_counter() - start < seconds:
                            poll.modify(descriptor, transfer.begin())
                        else:
                            poll.unregister(descriptor)
                            transfer.socket.close()
                            del transfers[descriptor]
        except OSError as error:
            raise LoadError(f"a transfer failed: {error!r}") from error
        finally:
            for transfer in transfers.values():
                transfer.socket.close()
    return Load(requests, time.perf_counter() - start)


def request_head(method: str, path: str, headers: Mapping[str, str] | None = None, length: int = 0) -> bytes:
    """Returns the head of an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if method == "POST":
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
