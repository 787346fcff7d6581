"""Findings of blocked loops: what is said of each kind, and what can be done about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
from eyewall.doctor.places import Place
from eyewall.doctor.stalls.garbage import Collection, longest
from eyewall.doctor.stalls.kinds import COMPUTES, Kind, Sample
from eyewall.doctor.stalls.stack import Stack
from eyewall.doctor.stalls.turn import Block

#: The share of a block that collections take which are its cause.
COLLECTING = 0.5
#: Places that are named of those that fill a queue.
FILLERS = 5

_EXECUTOR = "hand the call to an executor (await loop.run_in_executor(None, …))"
_ADVICE = {
    Kind.WAITING: f"Wait with await: asyncio.sleep, asyncio.Lock, asyncio.Queue, asyncio.create_subprocess_exec, "
    f"asyncio.wrap_future; where there is nothing of the kind, {_EXECUTOR}.",
    Kind.IO: f"Use a client that is made for asyncio, or {_EXECUTOR}.",
    Kind.COMPUTING: "Let a process compute (loop.run_in_executor with a ProcessPoolExecutor), or compute in parts with "
    "'await asyncio.sleep(0)' between them. A thread gives the loop only a share of the interpreter.",
    Kind.NATIVE: "Let a process do it (loop.run_in_executor with a ProcessPoolExecutor), or give it less at a time: no "
    "thread can run before such a call returns, so that another thread would not help.",
    Kind.GARBAGE: "Keep fewer objects that refer to each other; call gc.freeze() once all that stays is loaded, so "
    "that it is not looked at again; or collect when it suits (gc.disable(), then gc.collect(0) now and then).",
    Kind.LOGGING: "Log through logging.handlers.QueueHandler, whose listener writes in a thread of its own, and see "
    "why the stream does not take what is written (a full pipe, a slow disk, a stopped terminal).",
    Kind.SIGNAL: "Do no more in the handler than to note the signal; loop.add_signal_handler calls a function of the "
    "loop for it, which may start a task.",
    Kind.STARVED: "Put fewer callbacks in at a time: bound how many tasks run at once (asyncio.Semaphore), wait for "
    "something instead of asking again with sleep(0) or call_soon, and give others a turn between parts.",
    Kind.THREAD: "Let a process do it: one call of C that keeps the interpreter stops all threads, the loop's, too.",
}


def _finding(
    block: Block,
    kind: Kind,
    what: str,
    place: Place | None,
    stack: tuple[Place, ...],
    subject: Subject | None,
    counts: dict[str, int] | None = None,
) -> Finding:
    """Returns the finding of one `block`."""
    # Without a place, the words are all by which the same fault is known again.
    verb = "was" if block.over or place is None else "is"
    counts = counts or {}
    if block.unscheduled >= 0.001:
        counts["milliseconds without a CPU besides"] = round(block.unscheduled * 1e3)
    return Finding(
        kind.value,
        Severity.WARNING,
        f"The loop {verb} blocked: {what}",
        _ADVICE[kind],
        place=place,
        subject=subject,
        evidence=Evidence(
            stacks={"while it was blocked": stack} if stack else {},
            counts=counts,
            wall=block.wall,
            cpu=None if kind is Kind.THREAD else block.cpu,
        ),
    )


def sampled(block: Block, sample: Sample) -> Finding:
    """Returns the finding of a block for which `sample` stands."""
    kind, what = sample.doing
    if kind is Kind.WAITING and block.cpu >= block.wall * COMPUTES:
        # It has waited for nothing but a CPU, which others had.
        kind, what = Kind.COMPUTING, "it computes"
    found = _finding(block, kind, what, sample.place, sample.stack.places, sample.subject)
    if sample.after:
        evidence = replace(
            found.evidence, stacks={"right after it, when others could run again": sample.stack.places}
        )
        found = replace(found, evidence=evidence)
    return found


def updated(told: Finding, block: Block) -> Finding:
    """Returns a finding that was told, with what is known now of how long the block lasts."""
    evidence = replace(told.evidence, wall=block.wall, cpu=None if told.evidence.cpu is None else block.cpu)
    summary = _ended(told.summary) if block.over else told.summary
    return replace(told, summary=summary, evidence=evidence, count=0)


def _ended(summary: str) -> str:
    return summary.replace("The loop is ", "The loop was ", 1).replace("The loop takes ", "The loop took ", 1)


def threading(block: Block, stack: Stack, name: str) -> Finding:
    """Returns the finding that the thread `name`, which stood there, kept the interpreter."""
    who = f"the thread {name} keeps" if name else "another thread keeps"
    return _finding(
        block, Kind.THREAD, f"{who} the interpreter, in one call of C", stack.place, stack.places, None
    )


def _spent(block: Block, collections: list[Collection]) -> float:
    return sum(min(each.ended, block.ended) - max(each.began, block.began) for each in collections)


def collecting_share(block: Block, collections: list[Collection]) -> float:
    """Returns the share of a block that collections take. Time without a CPU is a part of both."""
    return _spent(block, collections) / max(block.ended - block.began, 0.001)


def collecting(block: Block, collections: list[Collection], sample: Sample | None) -> Finding | None:
    """Returns the finding that `collections` took the time of a block, None where they did not."""
    if collecting_share(block, collections) < COLLECTING:
        return None
    spent = _spent(block, collections)
    worst = longest(collections)
    asked = "the program has asked for a garbage collection" if worst.explicit else "garbage is collected"
    counts = {
        "collections": len(collections),
        "generation": worst.generation,
        "objects freed": worst.freed,
        "milliseconds of collecting": round(spent * 1e3),
    }
    subject = None if sample is None else sample.subject
    seen = worst.stack if worst.stack.spots or sample is None else sample.stack
    return _finding(block, Kind.GARBAGE, asked, seen.place, seen.places, subject, counts)


def starving(
    block: Block, place: Place | None, fillers: Counter[Place], waiting: int, stack: tuple[Place, ...]
) -> Finding:
    """Returns the finding that many callbacks took a turn together. `fillers`: who puts them in; `waiting`: how many
    wait."""
    verb = "takes" if not block.over else "took"
    counts = {"callbacks that wait": waiting, "seen to end": block.callbacks}
    total = sum(fillers.values())
    for each, count in fillers.most_common(FILLERS):
        counts[f"percent of callbacks from {each}"] = round(100 * count / total)
    return Finding(
        Kind.STARVED.value,
        Severity.WARNING,
        f"The loop {verb} long for one turn: many callbacks wait in its queue, none of which is slow",
        _ADVICE[Kind.STARVED],
        place=place,
        evidence=Evidence(
            stacks={"one of them": stack} if stack else {}, counts=counts, wall=block.wall, cpu=block.cpu
        ),
    )


def placed(found: Finding, place: Place) -> Finding:
    """Returns a finding with another place."""
    return replace(found, place=place)
