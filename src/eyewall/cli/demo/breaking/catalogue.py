"""All faults, in the order of the page: the five questions that the doctor answers."""

from __future__ import annotations

from typing import NamedTuple

from eyewall.cli.demo.breaking.fault import Fault


class Group(NamedTuple):
    """Faults of a kind. `id` is for links."""

    id: str
    title: str
    text: str
    faults: tuple[Fault, ...]


def _blocks(name: str, title: str) -> Fault:
    return Fault(name, title, 12.0, blocks=True)


GROUPS = (
    Group(
        "blocked",
        "Block the loop",
        "One thread serves everybody. Whoever keeps it makes all others wait; here, this page, too.",
        (
            _blocks("sleeping", "Sleep in a handler"),
            _blocks("locked", "Wait for a thread’s lock"),
            _blocks("child", "Run another program"),
            _blocks("votes", "Write to a locked database"),
            _blocks("scanner", "Read a slow file"),
            _blocks("weather", "Fetch with urllib"),
            _blocks("primes", "Compute in Python"),
            _blocks("expression", "Match a bad regular expression"),
            _blocks("number", "Compute a huge number"),
            _blocks("elsewhere", "Hold the GIL in a thread"),
            _blocks("garbage", "Collect much garbage"),
            _blocks("log", "Log into a full pipe"),
            _blocks("rotation", "Take long in a signal handler"),
            _blocks("pieces", "Schedule many small callbacks"),
        ),
    ),
    Group(
        "dropped",
        "Drop something",
        "What was never run, or has failed where nobody looks.",
        (
            Fault("forgotten", "Forget an await"),
            Fault("unkept", "Start a task, keep nothing"),
            Fault("mail", "Fail in a task"),
            Fault("reply", "Fail in a lost future"),
            Fault("restock", "Fail in a callback"),
            Fault("timer", "Fail in a timer"),
            Fault("total", "Fail in a done-callback"),
            Fault("archive", "Fail in a thread’s job"),
            Fault("rows", "Fail in an async generator"),
            Fault("poller", "Swallow a cancellation"),
        ),
    ),
    Group(
        "never",
        "Wait for ever",
        "Tasks that wait for each other, or for what nobody can bring about.",
        (
            Fault("locks", "Take two locks in two orders"),
            Fault("circle", "Await each other"),
            Fault("quote", "Lose a future"),
            Fault("saving", "Let a waiting task be collected", 20.0),
            _blocks("note", "Wait for the loop in the loop"),
            _blocks("thread", "Join a thread that needs the loop"),
        ),
    ),
    Group(
        "grows",
        "Let something grow",
        "What stays after its end, and what comes faster than it goes. It takes ten seconds or so to be sure.",
        (
            Fault("chat", "Keep closed WebSockets", 40.0),
            Fault("news", "Keep event streams", 40.0),
            Fault("warehouse", "Keep closed connections", 40.0),
            Fault("notices", "Start tasks that never end"),
            Fault("history", "Keep tasks that are done"),
            Fault("uploads", "Leave files open"),
            Fault("probes", "Leave sockets open"),
            Fault("thumbnails", "Flood an executor"),
            Fault("printer", "Fill a bounded executor"),
            Fault("beats", "Never stop a timer"),
            Fault("crawler", "Schedule ever more callbacks"),
            Fault("clicks", "Fill a queue without a bound"),
            Fault("ticker", "Write to a client that does not read"),
        ),
    ),
    Group(
        "slow",
        "Be slow without blocking",
        "The loop is free, and everybody waits all the same.",
        (
            Fault("supplier", "Ask a service without a timeout"),
            Fault("rates", "Hold a lock for long"),
            Fault("reports", "Ask too much of two threads"),
            Fault("database", "Use too small a pool"),
        ),
    ),
)

#: By name.
FAULTS = {fault.name: fault for group in GROUPS for fault in group.faults}
