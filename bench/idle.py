"""Memory of idle connections: a server's size before and after ten thousand of them were opened.

python -m bench.idle [--server NAME] [--kind ws|http] [--connections N]
"""

import argparse
import select
import socket
import sys
import tempfile
from pathlib import Path

from bench import lock, machine, peers, wsload
from bench.load import LoadError, request_head
from bench.measure import Meter, descriptors, settled_memory
from bench.process import ServerProcess
from bench.wsload import SocketError

HOST = "127.0.0.1"
#: Files a process needs besides the connections.
SPARE = 200
#: Connections opened and closed before the first measurement, so that what a server needs once is there.
REHEARSAL = 200


def most_connections(wanted: int) -> int:
    """Returns how many connections the limit of open files leaves room for, `wanted` at most."""
    return min(wanted, machine.raise_descriptors() - SPARE)


def open_http(port: int, count: int) -> list[socket.socket]:
    """Opens `count` connections, each of which has had one request answered. Raises LoadError."""
    request = request_head("GET", "/plaintext")
    opened: list[socket.socket] = []
    try:
        while len(opened) < count:
            batch = []
            for _ in range(min(wsload.BATCH, count - len(opened))):
                connection = socket.create_connection((HOST, port), timeout=wsload.STALL)
                opened.append(connection)
                batch.append(connection)
                connection.sendall(request)
            for connection in batch:
                answer = b""
                while not answer.endswith(b"Hello, World!"):
                    data = connection.recv(4096)
                    if not data:
                        raise LoadError(f"closed after {answer[:60]!r}")
                    answer += data
    except OSError as error:
        wsload.close(opened)
        raise LoadError(f"connection {len(opened)} of {count}: {error!r}") from error
    except LoadError:
        wsload.close(opened)
        raise
    return opened


def open_connections(port: int, path: str, count: int, *, websocket: bool) -> list[socket.socket]:
    """Opens `count` idle connections of one kind. Raises LoadError or SocketError."""
    return wsload.connect(port, path, count) if websocket else open_http(port, count)


def alive(sockets: list[socket.socket]) -> int:
    """Returns how many of `sockets` the server has not closed: lost connections must not flatter it."""
    closed = 0
    with select.epoll() as poll:
        by_descriptor = {connection.fileno(): connection for connection in sockets}
        for descriptor, connection in by_descriptor.items():
            connection.setblocking(False)
            poll.register(descriptor, select.EPOLLIN | select.EPOLLRDHUP)
        for _, mask in poll.poll(0, max(1, len(sockets))):
            closed += bool(mask & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR))
    return len(sockets) - closed


def memory_per_connection(server: ServerProcess, path: str, count: int, *, websocket: bool) -> float:
    """Returns the KiB that one of `count` idle connections costs a freshly started server.

    Raises LoadError or SocketError when the server does not hold them all.
    """
    wsload.close(open_connections(server.port, path, REHEARSAL, websocket=websocket))
    before = settled_memory(server.pid)
    sockets = open_connections(server.port, path, count, websocket=websocket)
    try:
        after = settled_memory(server.pid)
        held = alive(sockets)
    finally:
        wsload.close(sockets)
    if held != count:
        raise LoadError(f"only {held} of {count} connections are still open")
    return (after - before) / 1024 / count


def main(arguments: list[str] | None = None) -> int:
    """Opens the connections, tells what they cost in memory, and what the server does while they idle."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="eyewall", help="name of a server (default: eyewall)")
    parser.add_argument("--kind", choices=["ws", "http"], default="ws")
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    options = parser.parse_args(arguments)
    try:
        (peer,) = peers.select([options.server], options.build or peers.default_build(), None)
    except ValueError as error:
        parser.error(str(error))
    count = most_connections(options.connections)
    core, load_core = machine.cores()
    machine.pin(load_core)
    machine.end_cleanly()
    websocket = options.kind == "ws"
    path = "/ws" if websocket else "/plaintext"
    with (
        lock.exclusive(),
        tempfile.TemporaryDirectory() as static,
        ServerProcess(peer.path, Path(static), core, environment=peer.environment) as server,
    ):
        try:
            wsload.close(open_connections(server.port, path, REHEARSAL, websocket=websocket))
            before = settled_memory(server.pid)
            opening = Meter(server.pid)
            sockets = open_connections(server.port, path, count, websocket=websocket)
            opened = opening.read()
            after = settled_memory(server.pid)
            idling = Meter(server.pid)
            select.select([], [], [], 5.0)
            idle = idling.read()
            held = alive(sockets)
            files = descriptors(server.pid)
            wsload.close(sockets)
            closed = settled_memory(server.pid)
        except (LoadError, SocketError) as error:
            print(f"{peer.label}: {error}", file=sys.stderr)
            return 1
    kind = "WebSockets" if websocket else "keep-alive connections"
    print(f"{peer.label}: {held} of {count} idle {kind} held, {files} files open in the server")
    print(f"  memory before {before / 2**20:.1f} MiB, with them {after / 2**20:.1f} MiB", end="")
    print(f", after they closed {closed / 2**20:.1f} MiB")
    print(f"  {(after - before) / 1024 / count:.2f} KiB per connection")
    print(
        f"  {opened.cpu / count * 1e6:.0f} µs CPU to open one, {count / opened.elapsed:.0f} opened a second"
    )
    print(f"  {idle.cpu / idle.elapsed * 1000:.1f} ms CPU a second while they idle")
    return 0 if held == count else 1


if __name__ == "__main__":
    raise SystemExit(main())
