"""Template engines as peers of the template workload: each renders in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.load import LoadError
from bench.peers import ROOT, Peer
from bench.workloads import Workload

TIMEOUT = 60.0
#: Engines that do not come with a server: name and label.
OTHERS = {"jinja2": "Jinja2", "by hand": "Python by hand"}
NAME = "template"

_PROGRAM = """
import sys
from bench.template import contenders, rate
render = contenders()[sys.argv[1]]
rate(render, 0.1)
print(rate(render, float(sys.argv[2])))
"""


@dataclass(frozen=True)
class Engine:
    """A template engine: the server it belongs to, or its own name."""

    name: str
    engine: str
    environment: Mapping[str, str] = field(default_factory=dict)


def engines(peers: list[Peer]) -> list[Engine]:
    """Returns the engines to compare: those of the peers that have one, and the others."""
    own = [
        Engine(peer.name, "eyewall", peer.environment) for peer in peers if peer.name.startswith("eyewall")
    ]
    own += [Engine(peer.name, "tornado") for peer in peers if peer.name == "tornado"]
    return own + [Engine(name, name) for name in OTHERS]


def labels(workloads: list[Workload]) -> dict[str, str]:
    """Returns the labels of the engines without a server, where templates are measured."""
    return dict(OTHERS) if any(workload.kind == NAME for workload in workloads) else {}


def renders(engine: Engine, seconds: float, core: int) -> float:
    """Returns how often a second of processor time renders the page. Raises LoadError."""
    paths = [engine.environment.get("PYTHONPATH", ""), str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, engine.engine, str(seconds)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
        timeout=TIMEOUT,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    if done.returncode:
        raise LoadError((done.stderr or done.stdout).strip().splitlines()[-1])
    return float(done.stdout)
