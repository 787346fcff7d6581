"""What the doctor costs a healthy program, with everything on that is on by default.

    python -m bench.doctor.overhead [--build PATH] [--rounds N] [--seconds N] [--websockets N] [--null]

Two processes of the same server, one with the doctor and one without, take turns under the same load: requests for
plain text, and after that idle WebSockets. CPU is the kernel's account of all threads and children. What is printed
last are the ratios that may not be exceeded; `--null` says how much of them is noise.
"""

import argparse
import select
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import lock, machine, peers, wsload
from bench.idle import alive, most_connections
from bench.load import LoadError, wrk
from bench.measure import Meter, settled_memory
from bench.process import ServerProcess
from bench.wsload import SocketError

#: What is allowed: a share of CPU per request, of throughput, of a core, and MiB.
CPU, THROUGHPUT, CORE, MEMORY = 0.02, 0.02, 0.01, 10.0
CONNECTIONS = 64
#: Seconds that servers are left alone in, to see what they do by themselves.
IDLE = 10.0
NAMES = ("off", "on")
SCRIPT = Path(__file__).with_name("server.py")


def _start(stack: ExitStack, build: Path, core: int, on: bool) -> ServerProcess:
    static = stack.enter_context(tempfile.TemporaryDirectory())
    environment = {**peers.eyewall(build).environment, "BENCH_DOCTOR": "1" if on else "0"}
    return stack.enter_context(ServerProcess(SCRIPT, Path(static), core, environment=environment))


def requests(
    servers: dict[str, ServerProcess], rounds: int, seconds: int
) -> dict[str, list[tuple[float, float]]]:
    """Returns microseconds of CPU for a request, and requests a second, in each round."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
    for server in servers.values():
        wrk(server.port, "/plaintext", seconds=1, connections=CONNECTIONS)
        server.pause()
    for turn in range(rounds):
        for name in NAMES if turn % 2 else reversed(NAMES):
            server = servers[name]
            server.resume()
            meter = Meter(server.pid)
            load = wrk(server.port, "/plaintext", seconds=seconds, connections=CONNECTIONS)
            usage = meter.read()
            server.pause()
            found[name].append((usage.cpu * 1e6 / load.requests, load.requests / load.seconds))
    for server in servers.values():
        server.resume()
    return found


def idle(server: ServerProcess, count: int) -> float:
    """Returns the share of a core that the server uses while `count` WebSockets are idle."""
    sockets = wsload.connect(server.port, "/ws", count)
    try:
        select.select([], [], [], 2.0)
        meter = Meter(server.pid)
        select.select([], [], [], IDLE)
        usage = meter.read()
        if alive(sockets) != count:
            raise LoadError(f"only {alive(sockets)} of {count} WebSockets are still open")
    finally:
        wsload.close(sockets)
    return usage.utilisation


def main(arguments: list[str] | None = None) -> int:
    """Measures what the doctor costs."""
    parser = argparse.ArgumentParser(prog="python -m bench.doctor.overhead", description=main.__doc__)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=3, help="of each round")
    parser.add_argument("--websockets", type=int, default=10_000)
    parser.add_argument(
        "--null", action="store_true", help="leave the doctor off in both: what is printed is noise"
    )
    options = parser.parse_args(arguments)
    build = (options.build or peers.default_build()).absolute()
    count = most_connections(options.websockets)
    core, load_core = machine.cores()
    machine.pin(load_core)
    machine.end_cleanly()
    print(f"{peers.compiled_modules(build)} compiled modules in {build}")
    try:
        with lock.exclusive(), ExitStack() as stack:
            servers = {name: _start(stack, build, core, name == "on" and not options.null) for name in NAMES}
            memory = {name: settled_memory(server.pid) / 2**20 for name, server in servers.items()}
            found = requests(servers, options.rounds, options.seconds)
            after = {name: settled_memory(server.pid) / 2**20 for name, server in servers.items()}
            share = {name: idle(server, count) for name, server in servers.items()}
    except (LoadError, SocketError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{'':10} {'µs/request':>11} {'requests/s':>11} {'MiB':>7} {'MiB later':>10} {f'{count} idle':>12}")
    for name in NAMES:
        cpu, rate = (statistics.median(each[index] for each in found[name]) for index in (0, 1))
        print(
            f"doctor {name:3} {cpu:11.3f} {rate:11.0f} {memory[name]:7.1f} {after[name]:10.1f} {share[name]:12.2%}"
        )
    pairs = list(zip(found["off"], found["on"], strict=True))
    # What slows the machine down slows both of a round.
    more = statistics.median(on[0] / off[0] for off, on in pairs) - 1
    less = 1 - statistics.median(on[1] / off[1] for off, on in pairs)
    idling = share["on"] - share["off"]
    space = max(memory["on"] - memory["off"], after["on"] - after["off"])
    print(
        f"CPU per request {more:+.2%} (allowed {CPU:.0%}), throughput {-less:+.2%} (allowed -{THROUGHPUT:.0%}),"
    )
    print(
        f"{count} idle WebSockets {idling:+.2%} of a core (allowed {CORE:.0%}), {space:+.1f} MiB (allowed {MEMORY:g})"
    )
    return 0 if more <= CPU and less <= THROUGHPUT and idling <= CORE and space <= MEMORY else 1


if __name__ == "__main__":
    raise SystemExit(main())
