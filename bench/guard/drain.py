"""SIGTERM with very much open: what the drain's report says of it, against what clients know.

    python -m bench.guard.drain [--websockets N] [--requests N] [--jobs N]

Twice: where everything ends in time, and where a tenth of everything does not. A real process, real sockets; the
clients stand in this process.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path

import uvloop

from bench import machine
from eyewall.client import websocket_connect

#: Seconds: what a piece of work takes, what hangs, and what the drain has. The last is less than what a WebSocket
#: waits for the other side to say goodbye, so that those that do not are broken off.
WORK, FOR_EVER, DRAIN = 1.0, 3600.0, 4.0
ROOT = Path(__file__).resolve().parent.parent.parent
KINDS = ("websocket", "request", "job", "hook")


class Clients:
    """What clients have seen: by kind, how many ended in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ended = dict.fromkeys(KINDS, 0)
        self.answered = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.deaf: list[asyncio.StreamWriter] = []

    async def websocket(self) -> None:
        """Opens one that says goodbye when the server does."""
        socket = await websocket_connect(f"ws://127.0.0.1:{self.port}/socket")
        self.tasks.append(asyncio.create_task(self._listen(socket)))

    async def _listen(self, socket: object) -> None:
        if await socket.read_message() is None:  # type: ignore[attr-defined]
            self.ended["websocket"] += 1

    async def deaf_websocket(self) -> None:
        """Opens one that does not."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        self.deaf.append(writer)

    async def request(self, seconds: float) -> None:
        """Sends a request that takes so long."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /wait/%g HTTP/1.1\r\nHost: a\r\n\r\n" % seconds)
        self.tasks.append(asyncio.create_task(self._answer(reader, writer)))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if (await reader.read()).startswith(b"HTTP/1.1 200 "):
                self.ended["request"] += 1
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def job(self, seconds: float) -> None:
        """Has the server begin a job."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"POST /job/%g HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" % seconds)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()


def counts(text: str) -> dict[str, int]:
    """Returns what a line of the report counts, by kind."""
    return {kind: int(number) for kind, number in re.findall(r"([a-z ]+) (\d+)(?:, |$| \()", text.strip())}


async def scenario(name: str, wanted: dict[str, int], hanging: float) -> bool:
    """Runs one, and prints its rows. Returns whether everything is accounted for."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "eyewall", "run", "bench/guard/drainapp.py:app", "--port", "0"),
        *("--drain-timeout", f"{DRAIN:g}", "--no-access-log"),
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    lines: list[str] = []

    async def line_with(text: str) -> str:
        while True:
            line = (await process.stderr.readline()).decode()  # type: ignore[union-attr]
            if not line:
                raise RuntimeError("the server ended early:\n" + "".join(lines))
            lines.append(line)
            if text in line:
                return line

    found = re.search(r":(\d+)\s*$", await line_with("Listening on"))
    assert found is not None
    clients = Clients(int(found[1]))
    hung = {kind: round(count * hanging) for kind, count in wanted.items()}
    for _ in range(wanted["websocket"] - hung["websocket"]):
        await clients.websocket()
    for _ in range(hung["websocket"]):
        await clients.deaf_websocket()
    # All of these are begun within the second that they take.
    sending = []
    for number in range(wanted["job"]):
        sending.append(clients.job(FOR_EVER if number < hung["job"] else 3 * WORK))
    for number in range(wanted["request"]):
        sending.append(clients.request(FOR_EVER if number < hung["request"] else 3 * WORK))
    await asyncio.gather(*sending)
    await asyncio.sleep(WORK)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    lines += (await process.stderr.read()).decode().splitlines(keepends=True)
    code = await process.wait()
    took = time.monotonic() - began
    await asyncio.gather(*clients.tasks)
    for writer in clients.deaf:
        writer.close()
    report = "".join(lines)
    drained = re.search(r"Drained in ([0-9.]+) s of [0-9.]+ s: (.*)", report)
    if drained is None:
        raise RuntimeError(f"no report:\n{report}")
    begun, left = counts(drained[2]), dict.fromkeys(KINDS, 0)
    for broken in re.findall(r"broke off (.*?) \(", report):
        for kind, number in counts(broken).items():
            left[kind] = left.get(kind, 0) + number
    print(f"{name}: drained in {drained[1]} s of {DRAIN:g} s, ended in {took:.1f} s with exit code {code}")
    print(f"  {'':10} {'open':>6} {'reported':>9} {'finished':>9} {'broken off':>11} {'clients saw end':>16}")
    right = True
    for kind in KINDS:
        here = wanted.get(kind, 1)
        seen = str(clients.ended[kind]) if kind in ("websocket", "request") else ""
        reported, broken_off = begun.get(kind, 0), left[kind]
        print(f"  {kind:10} {here:6} {reported:9} {reported - broken_off:9} {broken_off:11} {seen:>16}")
        right = right and reported == here and broken_off == hung.get(kind, 0)
        right = right and (not seen or int(seen) == reported - broken_off)
    print(f"  {'everything is accounted for' if right else 'NOT everything is accounted for'}", flush=True)
    if not right:
        print(report, file=sys.stderr)
    return right


async def measure(options: argparse.Namespace) -> int:
    """Runs both scenarios."""
    wanted = {"websocket": options.websockets, "request": options.requests, "job": options.jobs}
    machine.raise_descriptors()
    results = [
        await scenario("everything ends in time", wanted, 0.0),
        await scenario("a tenth does not end", wanted, 0.1),
    ]
    return 0 if all(results) else 1


def main(arguments: list[str] | None = None) -> int:
    """Ends a process that has very much open, and compares its report with what clients know."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard.drain", description=main.__doc__)
    parser.add_argument("--websockets", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=50)
    return uvloop.run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    raise SystemExit(main())
