"""How a process ends: one thing after the other, until a deadline, and with a report of what held it up.

Whoever has something to finish (a server its requests, an executor its jobs, an application its hooks) is a
`Participant` and joins the `Drain` of the process, `process_drain`. Draining goes through the phases in their order:

    10  LISTENERS   nothing new is taken
    20  SERVERS     requests in flight are answered, WebSockets and event streams say goodbye
    30  TASKS       what handlers have begun besides: work after the response, tasks that they have spawned
    40  EXECUTORS   jobs that run in threads, processes and clusters
    50  MESSAGES    rooms and topics: messages on their way
    60  RESOURCES   pools are closed
    70  HOOKS       shutdown hooks of the application, in the reverse order of its startup

So each finds alive what it needs: a request in flight its executor, a job its database. Participants of one phase drain
at the same time. All have the same deadline; a phase that begins late still has `GRACE` seconds to end what it has,
and so has one that goes on after the deadline. None is left out, whatever another one does.

`draining` is set, and the probe slot `drain_begin` fired, before anything else happens: from then on the process is not
ready for new work (health checks say so).
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from eyewall.base import probe
from eyewall.base.loggers import app_log, gen_log
from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value

LISTENERS = 10
SERVERS = 20
TASKS = 30
EXECUTORS = 40
MESSAGES = 50
RESOURCES = 60
HOOKS = 70

#: Seconds after the deadline, or after its beginning where that is later, in which a phase is broken off.
GRACE = 5.0
#: Seconds between two looks at what is waited for, and between two lines in the log about it.
LOOK = 1.0
TOLD = 5.0
#: Of what is left, so many are named in a line.
NAMED = 20


class Participant(Protocol):
    """Something that has to be finished before a process ends."""

    @property
    def name(self) -> str:
        """What it is called in the report."""

    @property
    def phase(self) -> int:
        """When it drains; the head of this file has the order."""

    async def drain(self, deadline: Deadline) -> Sequence[str] | None:
        """Takes nothing new, finishes what is begun, and ends itself.

        At the `deadline` (`deadline.remaining()` is in seconds) it breaks off what is left, and returns that, as
        `pending` says it; None or nothing where all was finished. It ends soon after the deadline: `GRACE` seconds
        later it is cancelled.
        """

    def pending(self) -> list[str]:
        """Returns what is not finished, one text for each: its kind, a colon, and what helps to find it.

        "request: GET /report (Report), 3.2 s, from 192.0.2.7". Cheap enough to be asked once a second.
        """


class Step:
    """What became of one participant.

    `found`: what it had to finish when the drain began; `held_by`: what it was waiting for when it was last looked at;
    `left`: what was broken off. `seconds` it took. `error`: what it raised, or that it did not end.
    """

    def __init__(self, participant: Participant, found: list[str]) -> None:
        self.name = participant.name
        self.phase = participant.phase
        self.found = found
        self.held_by: list[str] = []
        self.left: list[str] = []
        self.seconds = 0.0
        self.error: str | None = None

    def __repr__(self) -> str:
        return f"<Step {self.name!r}: {len(self.found)} found, {len(self.left)} left, {self.seconds:.3f} s>"


class DrainReport:
    """How a drain went. `seconds`: how long it took; `allowed`: how long it might take; `steps` in their order."""

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self.seconds = 0.0
        self.steps: list[Step] = []

    @property
    def found(self) -> list[str]:
        """What was to be finished when the drain began."""
        return [each for step in self.steps for each in step.found]

    @property
    def left(self) -> list[str]:
        """What was broken off."""
        return [each for step in self.steps for each in step.left]

    @property
    def errors(self) -> list[str]:
        """What went wrong with participants."""
        return [f"{step.name}: {step.error}" for step in self.steps if step.error is not None]

    @property
    def clean(self) -> bool:
        """Whether everything was finished, and nothing went wrong."""
        return not self.left and not self.errors

    def lines(self) -> list[str]:
        """Returns the report as text: what there was, and what held it up."""
        lines = [f"Drained in {self.seconds:.1f} s of {self.allowed:g} s: {summary(self.found)}"]
        for step in self.steps:
            if step.held_by:
                lines.append(f"{step.name} took {step.seconds:.1f} s, last for {named(step.held_by)}")
            if step.left:
                lines.append(f"{step.name} broke off {named(step.left)}")
            if step.error is not None:
                lines.append(f"{step.name} failed: {step.error}")
        return lines


class Drain(Item):
    """Brings participants to an end. `clock` returns seconds and never goes back. `name` is what the inventory
    calls it.
    """

    kind = "drain"

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, name: str = "process") -> None:
        #: The process is about to end.
        self.draining = False
        self._clock = clock
        self._members: dict[int, weakref.ref[Participant]] = {}
        self._running: asyncio.Future[DrainReport] | None = None
        #: The phase that is being drained; 0 before and after.
        self._phase = 0
        self._report: DrainReport | None = None
        super().__init__(name)

    def join(self, participant: Participant) -> None:
        """Has `participant` take part. It is held weakly: who does not exist any more has nothing to finish."""
        key = id(participant)
        self._members[key] = weakref.ref(participant, lambda gone: self._drop(key, gone))

    def _drop(self, key: int, gone: weakref.ref[Participant]) -> None:
        # Called by the collector, at any moment. Somebody new may have the same id.
        if self._members.get(key) is gone:
            del self._members[key]

    def leave(self, participant: Participant) -> None:
        """Lets go of `participant`, which has ended by itself; one that is not here is no error."""
        self._members.pop(id(participant), None)

    @property
    def participants(self) -> list[Participant]:
        """Who takes part, in the order of the phases."""
        found = [reference() for reference in list(self._members.values())]
        return sorted((each for each in found if each is not None), key=lambda each: each.phase)

    def pending(self) -> list[str]:
        """Returns what is not finished, of all."""
        return [each for participant in self.participants for each in _pending(participant)]

    async def run(self, timeout: float) -> DrainReport:  # noqa: ASYNC109 - what is begun goes on until then
        """Drains everybody, within `timeout` seconds and what `GRACE` adds. Returns the report.

        A second call waits for the first one, and returns its report.
        """
        if self._running is not None:
            return await asyncio.shield(self._running)
        self._running = asyncio.get_running_loop().create_future()
        self.draining = True
        report = self._report = DrainReport(timeout)
        began = self._clock()
        deadline = Deadline(began + timeout, self._clock, f"the drain's deadline of {timeout:g} s")
        try:
            if probe.drain_begin.fire is not None:
                probe.drain_begin.fire(self)
            steps = {id(each): Step(each, _pending(each)) for each in self.participants}
            done: list[Participant] = []
            # Asked anew each time: what is being finished may make something that has to be finished.
            while phase := self._next(done):
                self._phase = phase[0].phase
                for participant in phase:
                    step = steps.get(id(participant))
                    if step is None:
                        step = steps[id(participant)] = Step(participant, _pending(participant))
                    report.steps.append(step)
                await self._run_phase([(each, steps[id(each)]) for each in phase], deadline)
                done += phase
            return report
        finally:
            report.seconds = self._clock() - began
            self._phase = 0
            self.tell(
                "drained",
                seconds=report.seconds,
                found=len(report.found),
                left=len(report.left),
                clean=report.clean,
            )
            self._running.set_result(report)

    def state(self) -> Mapping[str, Value]:
        """Returns whether it drains, the phase that it is in (0: none), and how many take part."""
        return {"draining": self.draining, "phase": self._phase, "participants": len(self._members)}

    def counters(self) -> Mapping[str, int]:
        """Returns what there was to finish, what was broken off, and what went wrong, since draining began."""
        report = self._report
        if report is None:
            return {"found": 0, "left": 0, "errors": 0}
        return {"found": len(report.found), "left": len(report.left), "errors": len(report.errors)}

    def histograms(self) -> Mapping[str, Histogram]:
        """Returns how long participants took that have been drained."""
        steps = Histogram()
        for step in self._report.steps if self._report is not None else ():
            steps.observe(step.seconds)
        return {"steps": steps}

    def _next(self, done: list[Participant]) -> list[Participant]:
        """Returns those of the lowest phase that have not been drained."""
        waiting = [each for each in self.participants if not any(each is other for other in done)]
        return [each for each in waiting if each.phase == waiting[0].phase]

    async def _run_phase(self, members: list[tuple[Participant, Step]], deadline: Deadline) -> None:
        began = told = self._clock()
        cut_off = max(deadline.at, began) + GRACE
        tasks = {
            asyncio.ensure_future(_drained(participant, step, deadline)): (participant, step)
            for participant, step in members
        }
        waiting = set(tasks)
        try:
            while waiting and self._clock() < cut_off:
                done, waiting = await asyncio.wait(
                    waiting, timeout=min(LOOK, cut_off - self._clock()), return_when=asyncio.FIRST_COMPLETED
                )
                now = self._clock()
                for task in done:
                    tasks[task][1].seconds = now - began
                for task in waiting:
                    tasks[task][1].held_by = _pending(tasks[task][0]) or tasks[task][1].held_by
                if waiting and now - told >= TOLD:
                    told = now
                    held = [each for task in waiting for each in tasks[task][1].held_by]
                    gen_log.info("Draining for %.0f s, still waiting for %s", now - began, named(held))
        finally:
            for task in waiting:
                participant, step = tasks[task]
                step.seconds = self._clock() - began
                step.left = _pending(participant)
                step.error = f"it did not end within {GRACE:g} s after the deadline"
                task.cancel()


async def _drained(participant: Participant, step: Step, deadline: Deadline) -> None:
    try:
        step.left = list(await participant.drain(deadline) or ())
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        app_log.error("Uncaught exception while %s was drained", step.name, exc_info=True)
        step.error = f"{type(error).__name__}: {error}"
        step.left = _pending(participant)


def _pending(participant: Participant) -> list[str]:
    try:
        return list(participant.pending())
    except Exception:  # noqa: BLE001 - what can't be told is no reason not to drain
        app_log.error(
            "Uncaught exception while %s was asked what is pending", participant.name, exc_info=True
        )
        return []


def summary(pending: Iterable[str]) -> str:
    """Returns how many of each kind there are: "websocket 1000, request 200"; "nothing" where there is nothing."""
    counts: dict[str, int] = {}
    for each in pending:
        kind = each.partition(":")[0]
        counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{kind} {count}" for kind, count in counts.items()) or "nothing"


def named(pending: Sequence[str]) -> str:
    """Returns how many of each kind there are, and the first of them by name."""
    if not pending:
        return "nothing that it names"
    more = f" and {len(pending) - NAMED} more" if len(pending) > NAMED else ""
    return f"{summary(pending)} ({'; '.join(pending[:NAMED])}{more})"


#: The one of this process.
process_drain = Drain()
