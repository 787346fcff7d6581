"""What the doctor costs a healthy program, with everything on that is on by default.

    python -m bench.doctor.overhead [--build PATH] [--starts N] [--slices N] [--websockets N] [--null]

Two processes of the same server, one with the doctor and one without, take turns under the same load (see
`bench.doctor.turns`): requests for plain text, and after that idle WebSockets. CPU is the kernel's account of all
threads. Both servers are started many times, and each start is one comparison. What is printed last are the ratios that
may not be exceeded, medians of the starts, with the quarters that were least and most in parentheses; `--null` says how
much of them is noise. A finding ends it: the program is healthy.

The WebSockets are watched twice: right after they were opened, when the doctor goes through all objects more often, and
when that is over. What may not be exceeded is the latter.
"""

import argparse
import itertools
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path

from bench import lock, machine, peers, wsload
from bench.doctor.turns import Cost, measure, start
from bench.idle import most_connections
from bench.load import LoadError
from bench.measure import Meter, settled_memory
from bench.process import ServerProcess
from bench.wsload import SocketError

#: What is allowed: a share of CPU per request, of throughput, of a core, and MiB.
CPU, THROUGHPUT, CORE, MEMORY = 0.02, 0.02, 0.01, 10.0
#: Seconds that servers are left alone in, to see what they do by themselves: each WebSocket is pinged once in them; and
#: those until this is seen, right after they were opened, and once more.
IDLE = 20.0
SOON, LATER = 2.0, 60.0
NAMES = ("off", "on")


def idle(servers: dict[str, ServerProcess], count: int) -> dict[str, tuple[float, float]]:
    """Returns the share of a core that each server uses while `count` WebSockets are idle: soon after they were opened,
    and later. Raises SocketError where one is closed."""
    sockets = {name: wsload.connect(server.port, "/ws", count) for name, server in servers.items()}
    everybody = list(itertools.chain(*sockets.values()))
    found: dict[str, list[float]] = {name: [] for name in servers}
    try:
        for pause in (SOON, LATER):
            wsload.answer_pings(everybody, pause)
            meters = {name: Meter(server.pid) for name, server in servers.items()}
            wsload.answer_pings(everybody, IDLE)
            for name, meter in meters.items():
                found[name].append(meter.read().utilisation)
    finally:
        wsload.close(everybody)
    return {name: (soon, later) for name, (soon, later) in found.items()}


def _memory(servers: dict[str, ServerProcess]) -> dict[str, float]:
    return {name: settled_memory(server.pid) / 2**20 for name, server in servers.items()}


def spread(ratios: list[float]) -> str:
    """Returns the median of ratios as a change in percent, with its lower and upper quartile."""
    low, middle, high = (
        statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    )
    return f"{middle - 1:+.2%} ({low - 1:+.2%} to {high - 1:+.2%})"


def main(arguments: list[str] | None = None) -> int:
    """Measures what the doctor costs."""
    parser = argparse.ArgumentParser(prog="python -m bench.doctor.overhead", description=main.__doc__)
    parser.add_argument("--build", type=Path, default=None, help="folder with Eyewall's packages")
    parser.add_argument("--starts", type=int, default=24, help="of both servers")
    parser.add_argument("--slices", type=int, default=60, help="turns of each server, after each start")
    parser.add_argument("--websockets", type=int, default=10_000)
    parser.add_argument(
        "--null", action="store_true", help="leave the doctor off in both: what is printed is noise"
    )
    options = parser.parse_args(arguments)
    build = (options.build or peers.default_build()).absolute()
    count = most_connections(len(NAMES) * options.websockets) // len(NAMES)
    core, load_core = machine.cores()
    machine.pin(load_core)
    machine.end_cleanly()
    print(f"{peers.compiled_modules(build)} compiled modules in {build}")
    try:
        with lock.exclusive():
            found: dict[str, list[Cost]] = {name: [] for name in NAMES}
            for turn in range(options.starts):
                last = turn == options.starts - 1
                with ExitStack() as stack:
                    servers = {
                        name: start(stack, build, core, doctor=name == "on" and not options.null)
                        for name in (NAMES if turn % 2 else reversed(NAMES))
                    }
                    if last:
                        memory = _memory(servers)
                    for name, cost in measure(servers, options.slices).items():
                        found[name].append(cost)
                    if last:
                        after = _memory(servers)
                        share = idle(servers, count)
                    said = servers["on"].output()
                    if said:
                        raise LoadError(f"the doctor finds something in a healthy program: {said}")
    except (LoadError, SocketError) as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"{'':10} {'µs/request':>11} {'requests/s':>11} {'MiB':>7} {'MiB later':>10} {f'{count} idle':>12} {'later':>7}"
    )
    for name in NAMES:
        cpu = statistics.median(each.cpu for each in found[name])
        rate = statistics.median(each.rate for each in found[name])
        print(
            f"doctor {name:3} {cpu:11.3f} {rate:11.0f} {memory[name]:7.1f} {after[name]:10.1f} "
            f"{share[name][0]:12.2%} {share[name][1]:7.2%}"
        )
    pairs = list(zip(found["off"], found["on"], strict=True))
    # What slows the machine down slows both of a start.
    cpus = [on.cpu / off.cpu for off, on in pairs]
    rates = [on.rate / off.rate for off, on in pairs]
    more, less = statistics.median(cpus) - 1, 1 - statistics.median(rates)
    soon, idling = (share["on"][when] - share["off"][when] for when in range(2))
    space = max(memory["on"] - memory["off"], after["on"] - after["off"])
    print(
        f"CPU per request {spread(cpus)}, allowed {CPU:.0%}; throughput {spread(rates)}, allowed -{THROUGHPUT:.0%};"
    )
    print(
        f"{count} idle WebSockets {soon:+.2%} of a core, later {idling:+.2%} (allowed {CORE:.0%}); "
        f"{space:+.1f} MiB (allowed {MEMORY:g})"
    )
    return 0 if more <= CPU and less <= THROUGHPUT and idling <= CORE and space <= MEMORY else 1


if __name__ == "__main__":
    raise SystemExit(main())
