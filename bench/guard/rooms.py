"""A message published in one process reaches the WebSockets of another; then Redis is killed and started under load.

    python -m bench.guard.rooms [--sockets 2000] [--rate 20] [--seconds 8]

Three runs: a room in one process; the same through Redis, from another process; and that with a Redis that is away for
a while in the middle. Latency is from `publish` until a client has the message, of all messages on one WebSocket of
twenty. CPU is of the process that has the WebSockets, for each message on each of them, and of the publishing one.
"""

import argparse
import json
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.redisserver import RedisServer

from bench.guard.roomserver import SIZE
from bench.machine import describe, raise_descriptors
from bench.wsload import close, connect

#: A frame of a server: two bytes of header below 126 bytes.
FRAME = SIZE + 2
EVERY = 20


class Process:
    """A process that runs `bench.guard.roomserver`."""

    def __init__(self, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.guard.roomserver", *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def ask(self, command: str) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer: dict[str, float] = json.loads(self.process.stdout.readline())
        return answer

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(30)


class Listener(threading.Thread):
    """Reads from all WebSockets; knows how late messages came, and when."""

    def __init__(self, sockets: list) -> None:
        super().__init__(daemon=True)
        self.sockets = sockets
        self.bytes = 0
        self.latencies: list[tuple[float, float]] = []
        self.over = False

    def run(self) -> None:
        by_descriptor = {
            each.fileno(): (each, number % EVERY == 0) for number, each in enumerate(self.sockets)
        }
        rest = dict.fromkeys(by_descriptor, b"")
        with select.epoll() as poll:
            for descriptor in by_descriptor:
                poll.register(descriptor, select.EPOLLIN)
            while not self.over:
                for descriptor, _ in poll.poll(0.1):
                    connection, sampled = by_descriptor[descriptor]
                    data = connection.recv(65536)
                    self.bytes += len(data)
                    if sampled:
                        now = time.monotonic_ns()
                        data = rest[descriptor] + data
                        while len(data) >= FRAME:
                            self.latencies.append(((now - int(data[2:FRAME])) / 1e6, now / 1e9))
                            data = data[FRAME:]
                        rest[descriptor] = data


def quantiles(latencies: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Returns the median, the 99th percentile and the longest, in milliseconds."""
    values = sorted(latency for latency, _ in latencies)
    cuts = statistics.quantiles(values, n=100)
    return cuts[49], cuts[98], values[-1]


def run(publisher: Process, holder: Process, options: argparse.Namespace) -> tuple[list[str], float]:
    """Publishes from one process to the WebSockets of the other (or the same)."""
    sockets = connect(holder.port, "/room", options.sockets)
    listener = Listener(sockets)
    listener.start()
    before = holder.ask("cpu")["cpu"], publisher.ask("cpu")["cpu"]
    result = publisher.ask(f"publish {options.rate} {options.seconds}")
    wanted = result["published"] * options.sockets * FRAME
    give_up = time.monotonic() + 10
    while listener.bytes < wanted and time.monotonic() < give_up:
        time.sleep(0.05)
    after = holder.ask("cpu")["cpu"], publisher.ask("cpu")["cpu"]
    listener.over = True
    listener.join()
    close(sockets)
    deliveries = listener.bytes / FRAME
    median, high, longest = quantiles(listener.latencies)
    own = "" if publisher is holder else f"{(after[1] - before[1]) / result['published'] * 1e6:.0f}"
    return [
        f"{result['published']:.0f}",
        f"{deliveries / (result['published'] * options.sockets):.2%}",
        f"{deliveries / result['seconds']:,.0f}",
        f"{median:.1f}",
        f"{high:.1f}",
        f"{longest:.1f}",
        f"{(after[0] - before[0]) / deliveries * 1e6:.2f}",
        own,
    ], median


def outage(redis: RedisServer, publisher: Process, holder: Process, options: argparse.Namespace) -> list[str]:
    """Kills Redis under load, and starts it again after a while."""
    sockets = connect(holder.port, "/room", options.sockets)
    listener = Listener(sockets)
    listener.start()
    times: dict[str, float] = {}

    def disturb() -> None:
        time.sleep(options.seconds / 4)
        times["killed"] = time.monotonic()
        redis.kill()
        time.sleep(options.seconds / 4)
        redis.start()
        times["started"] = time.monotonic()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    result = publisher.ask(f"publish {options.rate} {options.seconds}")
    disturber.join()
    publisher.ask("until up")
    holder.ask("until up")
    time.sleep(0.5)
    listener.over = True
    listener.join()
    close(sockets)
    alive = publisher.process.poll() is None and holder.process.poll() is None
    away = times["started"] - times["killed"]
    seen = sorted(moment for _, moment in listener.latencies)
    resumed = min((moment for moment in seen if moment > times["started"]), default=float("inf"))
    got = listener.bytes / FRAME / options.sockets
    median, high, longest = quantiles(listener.latencies)
    return [
        f"Redis was away for {away:.1f} s; both processes alive: {'yes' if alive else 'NO'}",
        f"published {result['published']:.0f}, said to be delivered {result['delivered']:.0f}, "
        f"reached each WebSocket of the other process {got:.1f}",
        f"delivery resumed {resumed - times['started']:.3f} s after Redis answered again",
        f"latency of what was delivered: median {median:.1f} ms, 99% {high:.1f} ms, longest {longest:.1f} ms",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sockets", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=20, help="messages a second")
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    raise_descriptors()
    for name, value in describe().items():
        if name != "pinning":
            print(f"{name}: {value}")
    print(
        f"{options.sockets} WebSockets, {options.rate:g} messages of {SIZE} bytes a second, {options.seconds:g} s"
    )
    print()
    heads = [
        "",
        "messages",
        "arrived",
        "deliveries/s",
        "median ms",
        "99% ms",
        "longest ms",
        "µs/delivery",
        "µs/publish",
    ]
    print("| " + " | ".join(heads) + " |")
    print("| --- |" + " ---: |" * (len(heads) - 1))
    single = Process()
    cells, alone = run(single, single, options)
    print("| one process | " + " | ".join(cells) + " |")
    single.end()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        redis = RedisServer(Path(folder))
        redis.start()
        try:
            publisher, holder = Process(redis.url), Process(redis.url)
            cells, between = run(publisher, holder, options)
            print("| two processes, Redis | " + " | ".join(cells) + " |")
            print(f"\nmedian latency, two processes to one: {between / alone:.2f}\n")
            for line in outage(redis, publisher, holder, options):
                print(line)
            codes = [publisher.end(), holder.end()]
            print(f"exit codes: {codes}")
        finally:
            redis.kill()


if __name__ == "__main__":
    main()
