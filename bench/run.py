"""Runs workloads on servers in interleaved rounds.

In each round every workload is measured on every server, one after the other, so that what changes on the
machine over minutes hits all of them; ratios are taken within a round. The order of the servers turns by one
from round to round. A server process lives for one round and is stopped (SIGSTOP) while others are measured.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import idle, imports, load, machine, pages, wsload
from bench.load import LoadError
from bench.measure import Meter, Usage, settle
from bench.peers import Peer
from bench.process import ServerError, ServerProcess
from bench.results import Results, Sample
from bench.workloads import SIZE, SMALL_FILE, Workload
from bench.wsload import SocketError

#: Requests on one connection before a server's first measurement of a workload.
WARM_UP_SMALL = 300
WARM_UP_BULK = 3
#: WebSockets an echo runs on.
ECHO_SOCKETS = 64
#: Broadcasts in one measurement.
BROADCASTS = 5
#: Imports in one measurement.
IMPORTS = 9


@dataclass(frozen=True)
class Plan:
    """How long and how often."""

    rounds: int
    #: Length of a measurement of small requests; wrk needs whole seconds.
    seconds: int
    #: The whole run ends after this many seconds; what is left is not measured.
    budget: float
    #: Numbers of connections are divided by this.
    divisor: int = 1

    @property
    def short(self) -> float:
        """Length of the other measurements, in seconds: more is done for one request, so fewer will do."""
        return max(1.0, self.seconds / 2)


class OutOfTimeError(Exception):
    """The time for the whole run is used up."""


def make_files(folder: Path) -> None:
    """Writes the static files that servers are asked for. Their content does not compress."""
    (folder / "100k.bin").write_bytes(os.urandom(SMALL_FILE))
    (folder / "10m.bin").write_bytes(os.urandom(SIZE))
    # A server may give up root's rights.
    folder.chmod(0o755)


class Run:
    """One run over `peers` and `workloads`. `tell` is given a line for each measurement."""

    def __init__(
        self,
        peers: list[Peer],
        workloads: list[Workload],
        plan: Plan,
        static: Path,
        tell: Callable[[str], None] = print,
    ) -> None:
        self._peers = peers
        self._workloads = workloads
        self._plan = plan
        self._static = static
        self._tell = tell
        self._server_core, self._load_core = machine.cores()
        self._deadline = 0.0
        self._durations: dict[tuple[str, str], float] = {}
        self._servers: dict[str, ServerProcess] = {}
        self._prepared: set[tuple[str, str]] = set()
        self.results = Results()

    def run(self) -> Results:
        """Runs all rounds, or as many as there is time for, and returns what was found."""
        results = self.results
        results.facts.update(machine.describe())
        results.facts["date"] = time.strftime("%Y-%m-%d")
        results.facts["rounds"] = f"{self._plan.rounds} rounds, {self._plan.seconds} s for each measurement"
        if self._plan.divisor > 1:
            results.facts["connections"] = (
                f"idle ones and those of broadcasts: a {self._plan.divisor}th of what is said"
            )
        results.labels = {peer.name: peer.label for peer in self._peers} | pages.labels(self._workloads)
        results.rivals = [peer.name for peer in self._peers if peer.rival]
        able = []
        for peer in self._peers:
            missing = peer.missing()
            if missing:
                self._tell(f"{peer.label}: not installed: {missing}")
                for workload in self._workloads:
                    if workload.name in peer.workloads:
                        results.failures[workload.name, peer.name] = f"not installed: {missing}"
            else:
                results.versions.setdefault(peer.name, peer.version())
                able.append(peer)
        machine.pin(self._load_core)
        machine.raise_descriptors()
        self._deadline = time.monotonic() + self._plan.budget
        try:
            for turn in range(self._plan.rounds):
                self._round(turn, able)
        except OutOfTimeError:
            self._tell("out of time: what is left is not measured")
            results.facts["rounds"] += ", cut short by its time limit"
        return results

    def _round(self, turn: int, peers: list[Peer]) -> None:
        start = turn % max(1, len(peers))
        order = peers[start:] + peers[:start]
        with ExitStack() as stack:
            try:
                for workload in self._workloads:
                    if turn >= workload.rounds:
                        continue
                    if workload.kind == "template":
                        self._templates(turn, workload, order)
                    else:
                        for peer in order:
                            if workload.name in peer.workloads:
                                self._attempt(turn, workload, peer, stack)
            finally:
                self._servers.clear()
                self._prepared.clear()

    def _in_time(self, key: tuple[str, str]) -> None:
        # What it took the last time, or a guess for the first.
        expected = self._durations.get(key, self._plan.seconds + 1.0)
        if time.monotonic() + expected > self._deadline:
            raise OutOfTimeError

    def _attempt(self, turn: int, workload: Workload, peer: Peer, stack: ExitStack) -> None:
        key = (workload.name, peer.name)
        if key in self.results.failures:
            return
        self._in_time(key)
        start = time.monotonic()
        try:
            sample = self._measure(turn, workload, peer, stack)
        except (LoadError, SocketError, ServerError, OSError) as error:
            self.results.failures[key] = str(error) or repr(error)
            self._tell(f"{workload.name:16} {peer.name:16} failed: {error}")
            self._discard(peer)
            return
        finally:
            self._durations[key] = time.monotonic() - start
        self.results.samples.append(sample)
        self._tell(
            f"{turn + 1} {workload.name:16} {peer.name:16} {sample.value:10.2f} {workload.unit:16}"
            + (f"{sample.rate:10.0f} {workload.rate}" if workload.rate else "")
            + (f", server core {sample.utilisation:.0%}" if sample.utilisation else "")
        )

    def _measure(self, turn: int, workload: Workload, peer: Peer, stack: ExitStack) -> Sample:
        if workload.kind == "import":
            return self._import(turn, workload, peer)
        if workload.kind == "idle":
            return self._idle(turn, workload, peer)
        server = self._server(peer, stack)
        server.resume()
        try:
            usage, count, seconds = self._load(workload, peer, server)
            settle(server.pid, 2.0)
        finally:
            server.pause()
        unit = 1e6 if workload.unit.startswith("µs") else 1e3
        return Sample(
            turn,
            workload.name,
            peer.name,
            usage.cpu / count * unit,
            count / seconds,
            usage.utilisation,
            usage.disturbance,
        )

    def _server(self, peer: Peer, stack: ExitStack) -> ServerProcess:
        server = self._servers.get(peer.name)
        if server is None:
            server = stack.enter_context(self._new_server(peer))
            self._servers[peer.name] = server
        return server

    def _new_server(self, peer: Peer) -> ServerProcess:
        return ServerProcess(peer.path, self._static, self._server_core, environment=peer.environment)

    def _discard(self, peer: Peer) -> None:
        server = self._servers.pop(peer.name, None)
        if server is not None:
            server.stop()

    # -- the kinds of load ----------------------------------------------------------------------------------

    def _load(self, workload: Workload, peer: Peer, server: ServerProcess) -> tuple[Usage, int, float]:
        kind = workload.kind
        if kind == "small":
            return self._small(workload, peer, server)
        if kind == "bulk":
            return self._bulk(workload, peer, server)
        if kind == "echo":
            return self._echo(workload, server)
        if kind == "broadcast":
            return self._broadcast(workload, server)
        raise ValueError(f"no such kind of workload: {kind}")

    def _prepare(self, workload: Workload, peer: Peer, server: ServerProcess, times: int) -> None:
        """Once for each process: makes sure that the answer is right, and warms the server up."""
        if (workload.name, peer.name) in self._prepared:
            return
        body = workload.body or None
        answer = load.fetch(server.port, workload.method, workload.path, workload.headers, body)
        if answer.status != 200 or (workload.right is not None and not workload.right(answer)):
            raise LoadError(f"wrong answer: {answer.status} {answer.content_type} {answer.body[:60]!r}")
        if workload.headers.get("Connection") != "close":
            head = load.request_head(workload.method, workload.path, workload.headers, len(workload.body))
            load.repeat(server.port, head + workload.body, times)
        self._prepared.add((workload.name, peer.name))

    def _small(self, workload: Workload, peer: Peer, server: ServerProcess) -> tuple[Usage, int, float]:
        self._prepare(workload, peer, server, WARM_UP_SMALL)
        meter = Meter(server.pid)
        done = load.wrk(
            server.port,
            workload.path,
            seconds=self._plan.seconds,
            connections=workload.connections,
            headers=workload.headers,
            body=workload.body or None,
        )
        return meter.read(), done.requests, done.seconds

    def _bulk(self, workload: Workload, peer: Peer, server: ServerProcess) -> tuple[Usage, int, float]:
        self._prepare(workload, peer, server, WARM_UP_BULK)
        head = load.request_head(workload.method, workload.path, workload.headers, len(workload.body))
        meter = Meter(server.pid)
        done = load.bulk(
            server.port,
            head,
            workload.body,
            seconds=self._plan.short,
            connections=workload.connections,
        )
        return meter.read(), done.requests, done.seconds

    def _echo(self, workload: Workload, server: ServerProcess) -> tuple[Usage, int, float]:
        payload = (b"a message, as one types it: %08d, " % 20261122 * (workload.size // 32 + 1))[
            : workload.size
        ]
        opcode = wsload.TEXT if workload.compress else wsload.BINARY
        run = wsload.echo_compressed if workload.compress else wsload.echo
        # The first, short time is the warm-up; on sockets of its own, since compression keeps a context.
        for seconds in (0.1, self._plan.short):
            sockets = wsload.connect(server.port, workload.path, ECHO_SOCKETS, compress=workload.compress)
            try:
                meter = Meter(server.pid)
                done = run(sockets, opcode, payload, seconds=seconds)
                usage = meter.read()
            finally:
                wsload.close(sockets)
            settle(server.pid, 1.0)
        return usage, done.messages, done.seconds

    def _broadcast(self, workload: Workload, server: ServerProcess) -> tuple[Usage, int, float]:
        payload = b"m" * workload.size
        count = idle.most_connections(workload.connections // self._plan.divisor)
        sockets = wsload.connect(server.port, workload.path, count)
        try:
            wsload.broadcast(sockets, wsload.BINARY, payload, times=1)
            meter = Meter(server.pid)
            seconds = wsload.broadcast(sockets, wsload.BINARY, payload, times=BROADCASTS)
            return meter.read(), BROADCASTS, seconds
        finally:
            wsload.close(sockets)

    def _idle(self, turn: int, workload: Workload, peer: Peer) -> Sample:
        count = idle.most_connections(workload.connections // self._plan.divisor)
        with self._new_server(peer) as server:
            kibibytes = idle.memory_per_connection(
                server, workload.path, count, websocket=workload.name == "idle-ws"
            )
        return Sample(turn, workload.name, peer.name, kibibytes)

    def _import(self, turn: int, workload: Workload, peer: Peer) -> Sample:
        if turn == 0:
            imports.cache_bytecode(peer.environment)
            imports.cost(peer.imports, peer.environment, self._server_core)
        timed = workload.name == "import"
        # Memory hardly differs from one to the next.
        times = IMPORTS if timed else 1
        found = imports.typical(peer.imports, peer.environment, self._server_core, times)
        value = found.milliseconds if timed else found.mebibytes
        return Sample(turn, workload.name, peer.name, value)

    def _templates(self, turn: int, workload: Workload, peers: list[Peer]) -> None:
        """Renders with every template engine; the Eyewalls' from their builds, the others in between."""
        for engine in pages.engines(peers):
            key = (workload.name, engine.name)
            if key in self.results.failures:
                continue
            self._in_time(key)
            start = time.monotonic()
            try:
                value = pages.renders(engine, self._plan.short, self._server_core)
            except (LoadError, OSError) as error:
                self.results.failures[key] = str(error)
                self._tell(f"{workload.name:16} {engine.name:16} failed: {error}")
                continue
            finally:
                self._durations[key] = time.monotonic() - start
            self.results.samples.append(Sample(turn, workload.name, engine.name, value))
            self._tell(f"{turn + 1} {workload.name:16} {engine.name:16} {value:10.0f} {workload.unit}")
