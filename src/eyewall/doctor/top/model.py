"""What is shown of a process, from what it has answered: pure functions, without a terminal.

An answer has what its process knows: what is missing in it (from an older release, or in a program without Eyewall's
server) is shown as unknown.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eyewall.doctor.top.cells import (
    Cell,
    Column,
    Row,
    Table,
    number,
    place,
    seconds,
    share,
    size,
    table_text,
    text,
)

#: What the time of a request is split into.
PHASES = ("queued", "receiving", "running", "blocking", "waiting")
#: Registries that are shown as connections, by the names they have in an answer.
_CONNECTIONS = ("connections", "websockets", "event_streams", "client_connections")
#: Severities, the worst first.
_SEVERITIES = ("error", "warning", "notice")
#: Kinds of items of the guard that have a table of their own, or are shown elsewhere.
_EXECUTOR, _BREAKER, _REGISTRY = "executor", "breaker", "registry"

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Answers:
    """What a process has said: to `state`, to `findings`, and when, in seconds of any clock."""

    state: Answer
    findings: Answer
    time: float


def tables(now: Answers, before: Answers | None = None) -> list[Table]:
    """Returns all tables. `before`: what it has answered some time ago; rates are those since then."""
    state = now.state
    return [
        _routes(now, before),
        _requests(state),
        _tasks(state),
        _connections(state),
        _executors(state),
        _breakers(state),
        _guard(state),
        _findings(now.findings),
    ]


def heading(now: Answers) -> list[str]:
    """Returns what is said of the process as a whole, in lines."""
    state = now.state
    process = state["process"]
    counts = ", ".join(
        f"{many} {name.replace('_', ' ')}"
        for name, many in state.get("open", {}).get("counts", {}).items()
        if many or name in ("connections", "requests")
    )
    lines = [
        f"Process {process['pid']}: {text(shlex.join(process['program'])).text}",
        f"Python {process['python']}, Eyewall {process['eyewall']}, memory {size(state.get('memory')).text}, "
        f"{number(state.get('files')).text} files, {number(state.get('threads')).text} threads",
    ]
    for loop in process["loops"]:
        lags = loop.get("lags") or {}
        worst = f" (p99 {seconds(lags['p99']).text})" if lags.get("count") else ""
        stopped = "" if loop["running"] else ", not running"
        lines.append(
            f"Loop {loop['kind']} in {loop['thread']}: lag {seconds(loop['lag']).text}{worst}, "
            f"busy {share(loop.get('busy')).text}, {loop['tasks']} tasks{stopped}"
        )
    lines.append(f"Open: {counts}" if counts else "Open: nothing that Eyewall knows of")
    return lines


def as_text(now: Answers, limit: int = 20) -> str:
    """Returns all of it for people, with at most `limit` rows in each table; empty tables are left out."""
    blocks = ["\n".join(heading(now))]
    blocks += ["\n".join(table_text(each, limit)) for each in tables(now) if each.rows or each.note]
    return "\n\n".join(blocks) + "\n"


# -- requests -----------------------------------------------------------------------------------------------


def _routes(now: Answers, before: Answers | None) -> Table:
    columns = (
        Column("Route"),
        Column("Handler"),
        Column("Live", True),
        Column("Requests", True),
        Column("Per second", True),
        Column("Mean", True),
        *(Column(each.capitalize(), True) for each in PHASES),
    )
    live: dict[str, int] = {}
    for entry in _entries(now.state, "requests"):
        live[entry["route"]] = live.get(entry["route"], 0) + 1
    earlier = {} if before is None else {each["route"]: each for each in before.state.get("routes", ())}
    passed = 0.0 if before is None else now.time - before.time
    rows = []
    for route in now.state.get("routes", ()):
        known = earlier.get(route["route"])
        rate = None
        if passed > 0.0:
            rate = max(0.0, route["count"] - (known["count"] if known else 0)) / passed
        rows.append(
            _row(
                route["route"],
                text(route["route"]),
                text(route["handler"]),
                number(live.pop(route["route"], 0)),
                number(route["count"]),
                number(rate, 1),
                seconds(route["seconds"] / route["count"] if route["count"] else None),
                *(share(_part(route[each], route["seconds"])) for each in PHASES),
            )
        )
    for route, many in live.items():
        # None of its requests has ended yet, or nobody counts.
        unknown = [number(None)] * (3 + len(PHASES))
        rows.append(_row(route, text(route), text(None), number(many), *unknown))
    return Table("routes", "Requests by route", columns, _distinct(rows))


def _part(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else 0.0


def _requests(state: Answer) -> Table:
    columns = (
        Column("Age", True),
        Column("Idle", True),
        Column("Request"),
        Column("Route"),
        Column("Waits for"),
        Column("Stands at"),
        Column("Peer"),
        Column("In", True),
        Column("Out", True),
    )
    rows = [
        _entry_row(
            each,
            seconds(each["age"]),
            seconds(each["idle"]),
            text(each["label"]),
            text(each["route"]),
            # Those of other releases do not tell.
            text(each.get("waits_for")),
            place(each.get("place")),
            text(each["peer"]),
            size(each["bytes_in"]),
            size(each["bytes_out"]),
        )
        for each in sorted(_entries(state, "requests"), key=lambda each: -each["age"])
    ]
    return Table("requests", "Slowest live requests", columns, tuple(rows), _missing(state))


def _connections(state: Answer) -> Table:
    columns = (
        Column("Kind"),
        Column("Peer"),
        Column("What"),
        Column("Route"),
        Column("Age", True),
        Column("Idle", True),
        Column("In", True),
        Column("Out", True),
    )
    rows = [
        _entry_row(
            each,
            text(each["kind"]),
            text(each["peer"]),
            text(each["label"]),
            text(each["route"]),
            seconds(each["age"]),
            seconds(each["idle"]),
            size(each["bytes_in"]),
            size(each["bytes_out"]),
        )
        for name in _CONNECTIONS
        for each in _entries(state, name)
    ]
    return Table("connections", "Connections", columns, tuple(rows), _missing(state))


def _entries(state: Answer, name: str) -> Sequence[Answer]:
    found: Sequence[Answer] = state.get("open", {}).get("entries", {}).get(name, ())
    return found


def _missing(state: Answer) -> str:
    why = state.get("open", {}).get("missing", "")
    return f"Not known: {why}" if why else ""


def _entry_row(entry: Answer, *cells: Cell) -> Row:
    return Row(f"{entry['kind']} {entry['id']}", cells, entry)


# -- tasks --------------------------------------------------------------------------------------------------


def _tasks(state: Answer) -> Table:
    columns = (Column("Tasks", True), Column("Coroutine"), Column("Where it begins"))
    rows = []
    for count, each in enumerate(state.get("tasks", ())):
        where = each["place"]
        key = f"{where['file']}:{where['line']}" if where else f"unknown {count}"
        function = where["function"] if where else None
        at = text(f"{where['file']}:{where['line']}" if where else None)
        rows.append(Row(key, (number(each["count"]), text(function), at), each))
    return Table("tasks", "Tasks by what they run", columns, _distinct(rows))


def tasks_at(stacks: Answer, site: Answer | None) -> Table:
    """Returns the tasks that begin at a place, of those in the answer to `stacks`: the one that waits longest first."""
    wanted = _site(site)
    found = [each for each in stacks["tasks"] if _site(each.get("defined")) == wanted]
    return _single(found, "Tasks" if site is None else f"Tasks of {site['function']}")


def tasks_for(stacks: Answer, request: str) -> Table:
    """Returns the tasks that run on behalf of a request like "GET /a", as `tasks_at` does."""
    return _single([each for each in stacks["tasks"] if _behalf(each) == request], f"Tasks of {request}")


def _single(tasks: Sequence[Answer], title: str) -> Table:
    columns = (
        Column("Task"),
        Column("State"),
        Column("Waits", True),
        Column("For"),
        Column("On behalf of"),
        Column("Stands at"),
    )
    rows = [
        Row(
            each["id"],
            (
                text(each["name"]),
                text(each["state"]),
                seconds(each.get("waiting")),
                text((each.get("waits_for") or {}).get("words")),
                text(_behalf(each)),
                place(each["place"]),
            ),
            each,
        )
        for each in tasks
    ]
    rows.sort(key=lambda row: -(row.cells[2].value or 0.0))
    return Table("single", title, columns, _distinct(rows))


def _behalf(task: Answer) -> str | None:
    subject = task.get("subject") or {}
    return f"{subject.get('method')} {subject['path']}" if "path" in subject else None


def _site(said: Answer | None) -> tuple[str, int] | None:
    return None if said is None else (said["file"], said["line"])


# -- the guard ----------------------------------------------------------------------------------------------


def _items(state: Answer, *kinds: str) -> list[Answer]:
    return [each for each in state.get("guard", ()) if each["kind"] in kinds]


def _executors(state: Answer) -> Table:
    columns = (
        Column("Executor"),
        Column("Of"),
        Column("Busy", True),
        Column("Workers", True),
        Column("Queued", True),
        Column("Places", True),
        Column("Oldest", True),
        Column("Queue wait", True),
        Column("Run time", True),
        Column("Done", True),
        Column("Failed", True),
        Column("Refused", True),
    )
    rows = []
    for each in _items(state, _EXECUTOR):
        now, counters, times = each["state"], each["counters"], each["histograms"]
        rows.append(
            _row(
                each["name"],
                text(each["name"]),
                text(now.get("medium")),
                number(now.get("busy")),
                number(now.get("workers")),
                number(now.get("queued")),
                number(now.get("queue")),
                seconds(now.get("oldest")),
                seconds(times.get("queue_wait", {}).get("mean")),
                seconds(times.get("run_time", {}).get("mean")),
                number(counters.get("done")),
                number(counters.get("failed")),
                number(counters.get("refused")),
            )
        )
    return Table("executors", "Executors", columns, _distinct(rows))


def _breakers(state: Answer) -> Table:
    columns = (
        Column("Breaker"),
        Column("State"),
        Column("Calls", True),
        Column("Failed", True),
        Column("Slow", True),
        Column("Retry after", True),
        Column("Openings", True),
        Column("Reason"),
    )
    rows = []
    for each in _items(state, _BREAKER):
        now = each["state"]
        rows.append(
            _row(
                each["name"],
                text(each["name"]),
                text(now.get("state")),
                number(now.get("calls")),
                share(now.get("failure_rate")),
                share(now.get("slow_rate")),
                seconds(now.get("retry_after")),
                number(now.get("openings")),
                text(now.get("reason") or None),
            )
        )
    return Table("breakers", "Breakers", columns, _distinct(rows))


def _guard(state: Answer) -> Table:
    columns = (Column("Kind"), Column("Name"), Column("State"), Column("Counted"))
    rows = [
        _row(
            f"{each['kind']} {each['name']}",
            text(each["kind"]),
            text(each["name"]),
            text(_pairs(each["state"])),
            text(_pairs(each["counters"])),
        )
        for each in state.get("guard", ())
        if each["kind"] not in (_EXECUTOR, _BREAKER, _REGISTRY)
    ]
    return Table("guard", "Limits, pools and the rest of the guard", columns, _distinct(rows))


def _pairs(said: Answer) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in said.items())


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# -- findings -----------------------------------------------------------------------------------------------


def _findings(document: Answer) -> Table:
    columns = (Column("Severity"), Column("Times", True), Column("Rule"), Column("Finding"), Column("Where"))
    rows = []
    for each in sorted(document["findings"], key=lambda each: _SEVERITIES.index(each["severity"])):
        where = each["place"]
        key = (
            f"{each['rule']} {where['file']}:{where['line']}"
            if where
            else f"{each['rule']} {each['summary']}"
        )
        cells = (
            text(each["severity"]),
            number(each["count"]),
            text(each["rule"]),
            text(each["summary"]),
            place(where),
        )
        rows.append(Row(key, cells, each))
    return Table("findings", "Findings", columns, _distinct(rows))


def _row(key: str, *cells: Cell) -> Row:
    return Row(key, cells)


def _distinct(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Several may have the same name: numbers tell them apart."""
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        many = seen[row.key] = seen.get(row.key, 0) + 1
        found.append(row if many == 1 else Row(f"{row.key} #{many}", row.cells, row.subject))
    return tuple(found)
