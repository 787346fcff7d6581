"""What a run found: a sample for each round, workload and server, kept as JSON to make reports from."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.stats import Summary, summarise


@dataclass(frozen=True)
class Sample:
    """One measurement. `value` is in the workload's unit, `rate` per second for orientation.

    `utilisation` is the share of its core that the server used: below 0.9 the load generator, not the server,
    was the limit. `disturbance` is the time it waited for the core as a share of the time it had it.
    """

    round: int
    workload: str
    server: str
    value: float
    rate: float = 0.0
    utilisation: float = 0.0
    disturbance: float = 0.0


@dataclass
class Results:
    """All samples of a run, what failed and why, and what a reader must know of machine and versions."""

    samples: list[Sample] = field(default_factory=list)
    #: (workload, server) → why there is no number.
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Names and labels of the servers, in the order to show them; what was measured of each.
    labels: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    #: Servers that are Python and not Eyewall nor the bare protocol.
    rivals: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def values(self, workload: str, server: str) -> dict[int, float]:
        """Returns the measured values by round."""
        return {
            sample.round: sample.value
            for sample in self.samples
            if sample.workload == workload and sample.server == server
        }

    def of(self, workload: str, server: str) -> list[Sample]:
        """Returns the samples of one server."""
        return [s for s in self.samples if s.workload == workload and s.server == server]

    def summary(self, workload: str, server: str) -> Summary | None:
        """Returns median and spread of a server's values; None when there are none."""
        return summarise(self.values(workload, server).values())

    def ratio(self, workload: str, server: str, reference: str) -> Summary | None:
        """Returns median and spread of server ÷ reference, each from the same round; None without."""
        ours = self.values(workload, server)
        theirs = self.values(workload, reference)
        return summarise(ours[turn] / theirs[turn] for turn in ours if theirs.get(turn))

    def difference(self, workload: str, other: str, server: str) -> Summary | None:
        """Returns median and spread of a server's `workload` minus its `other` in the same round."""
        first = self.values(workload, server)
        second = self.values(other, server)
        return summarise(first[turn] - second[turn] for turn in first if turn in second)

    def servers(self, workload: str) -> list[str]:
        """Returns the servers that have something to say about a workload, in order."""
        seen = {s.server for s in self.samples if s.workload == workload}
        seen |= {server for name, server in self.failures if name == workload}
        return [name for name in self.labels if name in seen]

    def workloads(self) -> Iterable[str]:
        """Returns the names of the workloads that were run, in order."""
        return dict.fromkeys([*(s.workload for s in self.samples), *(name for name, _ in self.failures)])

    def save(self, path: Path) -> None:
        """Writes everything to a JSON file."""
        data = {
            "facts": self.facts,
            "labels": self.labels,
            "versions": self.versions,
            "rivals": self.rivals,
            "failures": [[*key, why] for key, why in self.failures.items()],
            "samples": [asdict(sample) for sample in self.samples],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def load(path: Path) -> Results:
    """Reads what `Results.save` wrote. Raises OSError, ValueError or KeyError."""
    data = json.loads(path.read_text())
    return Results(
        [Sample(**sample) for sample in data["samples"]],
        {(workload, server): why for workload, server, why in data["failures"]},
        data["labels"],
        data["versions"],
        data["rivals"],
        data["facts"],
    )
