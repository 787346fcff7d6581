"""The registry of checks: runs them, remembers what they said, and reports.

    add ─▶ Check ─due─▶ a task runs it ─▶ its state ─▶ now() ─▶ Report
                                     inventory ─health()─▶┘

A report is made of what is known and waits for nothing (`now`), so that a probe is answered at once however slow a
dependency is, and a thousand probes cost no more checks than one. Results come from checks that run in the background
from `start` to `stop`; where nothing runs in the background, `report` runs what is due, and then says what is known.
No check is run twice at once: who needs a result that is on its way waits for it.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextvars import copy_context
from typing import TypeVar

from eyewall.base import probe as slots
from eyewall.base.loggers import gen_log
from eyewall.guard.checks.healthcheck import CheckRules, CheckState
from eyewall.guard.checks.healthreport import Report, ReportLine, reported
from eyewall.guard.checks.healthrun import CheckFunction, is_async, launch
from eyewall.guard.checks.heartbeat import Heartbeat
from eyewall.guard.deadlines.deadline import forget, remaining
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Inventory, Item, Value, inventory
from eyewall.guard.verdict import Criticality, Probe, Status, Verdict

Function = TypeVar("Function", bound=CheckFunction)

#: What stands in a query, a line of a report and a log without being quoted. The colon is for the names of items.
_NAME = re.compile(r"[A-Za-z0-9._/-]{1,100}")
#: Checks and steps of a start that one registry takes.
MOST_CHECKS = 1000
#: Names that one report is asked to leave out.
MOST_EXCLUDED = 64


class Check(Item):
    """A check of a registry: what it calls, by which rules, and what is known of it."""

    kind = "check"

    def __init__(
        self,
        name: str,
        function: CheckFunction,
        rules: CheckRules,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self.function = function
        self.rules = rules
        self.engine = CheckState(rules, clock, chance)
        self._clock = clock
        #: Of whoever adds it, and not of a request that happens to ask; and even its deadline is not the check's.
        self.context = copy_context()
        self.context.run(forget)
        #: What runs it now, on which loop.
        self.task: asyncio.Task[None] | None = None
        #: The run itself, which may go on after its time.
        self._work: asyncio.Future[Verdict] | None = None
        self._began = 0.0
        self._runs = self._failures = self._timeouts = 0
        self._times = Histogram()
        self._seconds: float | None = None
        super().__init__(name)

    async def look(self) -> bool:
        """Runs it once and takes the result. Returns whether it has begun to fail, or ceased to."""
        engine = self.engine
        engine.begin()
        try:
            verdict = await self._run()
        except BaseException:
            engine.abandon()
            raise
        self._runs += 1
        if verdict.status is Status.FAIL:
            self._failures += 1
        return engine.finish(verdict)

    async def _run(self) -> Verdict:
        work = self._work
        if work is not None and not work.done() and not work.get_loop().is_closed():
            # One that has swallowed its cancellation, or a thread.
            return Verdict.failing(
                f"a run of {self._clock() - self._began:.0f} s ago has not ended; it is not run beside that"
            )
        began = self._began = self._clock()
        loop = asyncio.get_running_loop()
        work = self._work = launch(self.function, self.context.copy(), loop)
        try:
            await asyncio.wait((work,), timeout=self.rules.timeout)
        finally:
            if not work.done() and is_async(self.function):
                work.cancel()
        if not work.done():
            self._timeouts += 1
            return Verdict.failing(f"no answer within {self.rules.timeout:g} s")
        self._work = None
        self._seconds = self._clock() - began
        self._times.observe(self._seconds)
        return Verdict.failing("it was cancelled") if work.cancelled() else work.result()

    def line(self, probe: Probe) -> ReportLine:
        """Returns what is known of it, for the report of `probe`."""
        engine = self.engine
        verdict = engine.judge()
        if probe is Probe.STARTUP and engine.passed:
            verdict = Verdict.passing()
        return ReportLine(self.name, verdict, self.rules.criticality, engine.age, self._seconds)

    def state(self) -> Mapping[str, Value]:
        """What holds, and since when."""
        verdict = self.engine.judge()
        return {
            "status": verdict.status.word,
            "detail": verdict.detail,
            "criticality": self.rules.criticality.value,
            "probe": self.rules.probe.value,
            "age": self.engine.age,
            "running": self.engine.running,
        }

    def counters(self) -> Mapping[str, int]:
        """Runs, and how they ended."""
        return {"runs": self._runs, "failures": self._failures, "timeouts": self._timeouts}

    def histograms(self) -> Mapping[str, Histogram]:
        """How long runs took that came to an end in time."""
        return {"seconds": self._times}


class Health(Item):
    """A registry of checks, and what the process says of its health.

    `name` is what the inventory calls it. `items`: the parts of the guard that contribute what they say of
    themselves; None for none. `clock`: seconds that never go back; `chance`: numbers from 0 to below 1, for the
    jitter. `lag_limit`, `stall_limit`: of the `Heartbeat`.

    Everything happens on one loop, but `now`, which any thread may ask.
    """

    kind = "health"

    def __init__(
        self,
        name: str = "health",
        *,
        items: Inventory | None = inventory,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        lag_limit: float = 0.25,
        stall_limit: float = 30.0,
    ) -> None:
        #: Nothing new is to come: readiness is off, liveness is not. Set by itself when the process begins to drain
        #: while checks run in the background.
        self.draining = False
        self._items = items
        self._clock = clock
        self._chance = chance
        self._lag_limit = lag_limit
        self._stall_limit = stall_limit
        self._checks: dict[str, Check] = {}
        self._steps: dict[str, bool] = {}
        self._weights: dict[tuple[str, str | None], Criticality] = {}
        self._begun = self._started = False
        self._reports = self._bad_reports = 0
        self._heartbeat: Heartbeat | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._news: asyncio.Event | None = None
        self._detach: Callable[[], None] | None = None
        super().__init__(name)

    # -- what there is to look at -----------------------------------------------------------------------

    def add(
        self,
        name: str,
        function: CheckFunction,
        *,
        interval: float = 10.0,
        timeout: float = 5.0,
        criticality: Criticality | str = Criticality.CRITICAL,
        probe: Probe | str = Probe.READY,
        failures: int = 2,
        successes: int = 1,
    ) -> Check:
        """Adds a check: `function` raises, or returns False, where something is wrong.

        `interval`: seconds from the end of one run to the next. `timeout`: seconds after which a run counts as failed.
        `criticality`: what a failing check means. `probe`: which question it belongs to; one of liveness counts for
        readiness as well. `failures`, `successes`: results in a row that change what is.

        A coroutine function runs on the loop, any other in a thread. Raises ValueError for a name that is taken or not
        made of letters, digits and `._/-`, for rules that can't be meant, and beyond `MOST_CHECKS`.
        """
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"the name of a check is made of letters, digits and ._/-, not {name!r}")
        if name in self._checks:
            raise ValueError(f"there is a check {name!r} already")
        self._make_room()
        rules = CheckRules(
            interval=interval,
            timeout=timeout,
            criticality=Criticality(criticality),
            probe=Probe(probe),
            failures=failures,
            successes=successes,
        )
        check = self._checks[name] = Check(name, function, rules, self._clock, self._chance)
        self._tell_keeper()
        return check

    def check(
        self,
        name: str,
        *,
        interval: float = 10.0,
        timeout: float = 5.0,
        criticality: Criticality | str = Criticality.CRITICAL,
        probe: Probe | str = Probe.READY,
        failures: int = 2,
        successes: int = 1,
    ) -> Callable[[Function], Function]:
        """Decorates a function that is to be added as a check; see `add`."""

        def decorate(function: Function) -> Function:
            self.add(
                name,
                function,
                interval=interval,
                timeout=timeout,
                criticality=criticality,
                probe=probe,
                failures=failures,
                successes=successes,
            )
            return function

        return decorate

    def remove(self, name: str) -> None:
        """Takes the check `name` out; a run of it is cancelled. Raises KeyError where there is none."""
        check = self._checks.pop(name)
        if check.task is not None:
            check.task.cancel()

    def expect(self, step: str) -> Callable[[], None]:
        """The start is not over before `step` is done. Returns what is called when it is, on the loop's thread.

        A start that was over already begins anew. Raises ValueError as `add` does.
        """
        if _NAME.fullmatch(step) is None:
            raise ValueError(f"the name of a step is made of letters, digits and ._/-, not {step!r}")
        if step not in self._steps:
            self._make_room()
        self._steps[step] = False
        self._started = False

        def done() -> None:
            self._steps[step] = True
            self._tell_keeper()

        return done

    def weigh(self, kind: str, criticality: Criticality | str, name: str | None = None) -> None:
        """Decides what it means that an item of the guard is not well: all of `kind`, or the one called `name`.

        By default an item decides: it fails, and with it the whole, or it warns. A `criticality` of `critical`
        makes a warning a failure, `degraded` a failure a warning, `informational` neither of any consequence.
        """
        self._weights[kind, name] = Criticality(criticality)

    def _make_room(self) -> None:
        if len(self._checks) + len(self._steps) >= MOST_CHECKS:
            raise ValueError(f"a registry takes {MOST_CHECKS} checks and steps (MOST_CHECKS), and has them")

    # -- reports ----------------------------------------------------------------------------------------

    @property
    def kept(self) -> bool:
        """Whether checks run in the background, so that `now` is as good as `report`."""
        keeper = self._keeper
        return keeper is not None and not keeper.done()

    @property
    def started(self) -> bool:
        """Whether the start is over: every expected step is done, and every critical check has passed once.

        It stays over, also for checks that are added then: add what counts before checks run for the first time.
        """
        if self._started:
            return True
        over = all(self._steps.values()) and all(
            check.engine.passed
            for check in list(self._checks.values())
            if check.rules.criticality is Criticality.CRITICAL
        )
        # Before anybody runs checks, the program may not have added them all.
        if over and self._begun:
            self._started = True
        return over

    def now(self, probe: Probe | str = Probe.READY, exclude: Collection[str] = ()) -> Report:
        """Returns what is known, without waiting for anything; from any thread.

        Lines whose names are in `exclude` do not count. Raises ValueError for a probe that is none.
        """
        report = self._known(Probe(probe), exclude)
        self._reports += 1
        if not report.ok:
            self._bad_reports += 1
        return report

    def _known(self, probe: Probe, exclude: Collection[str] = ()) -> Report:
        if probe is Probe.LIVE:
            lines = self._live()
        elif probe is Probe.STARTUP:
            lines = self._startup()
        else:
            lines = self._ready()
        return reported(probe, lines, exclude)

    async def report(self, probe: Probe | str = Probe.READY, exclude: Collection[str] = ()) -> Report:
        """Runs the checks that are due, waits for those that run, and returns what is known then.

        It waits for the timeouts of the checks, and no longer than the deadline of the work at hand. Checks
        that run on another loop are not waited for. `exclude` as with `now`; checks with these names are not
        run. Raises ValueError for a probe that is none.
        """
        probe = Probe(probe)
        loop = asyncio.get_running_loop()
        self._begun = True
        waiting = set()
        for check in list(self._checks.values()):
            if check.name in exclude or (probe is Probe.LIVE and check.rules.probe is not Probe.LIVE):
                continue
            task = self._running(check)
            if task is None and check.engine.due:
                task = self._begin(check)
            if task is not None and task.get_loop() is loop:
                waiting.add(task)
        if waiting:
            await asyncio.wait(waiting, timeout=remaining())
        return self.now(probe, exclude)

    def _live(self) -> Iterator[ReportLine]:
        heartbeat = self._heartbeat
        if heartbeat is not None:
            yield ReportLine("heartbeat", heartbeat.liveness(), age=heartbeat.age)
        for check in list(self._checks.values()):
            if check.rules.probe is not Probe.LIVE:
                continue
            line = check.line(Probe.LIVE)
            if check.engine.verdict is None:
                # A restart would not bring the first result any sooner.
                line = ReportLine(line.name, Verdict.passing("there is no result yet"), line.criticality)
            yield line

    def _startup(self) -> Iterator[ReportLine]:
        started = self.started
        for step, done in list(self._steps.items()):
            passing = done or started
            yield ReportLine(
                f"start:{step}", Verdict.passing() if passing else Verdict.failing("not done yet")
            )
        for check in list(self._checks.values()):
            if check.rules.criticality is Criticality.CRITICAL:
                line = check.line(Probe.STARTUP)
                # A check that was added later is none of the start's business.
                yield ReportLine(line.name, Verdict.passing(), age=line.age) if started else line

    def _ready(self) -> Iterator[ReportLine]:
        if self.draining:
            yield ReportLine("draining", Verdict.failing("the process is about to end"))
        if not self.started:
            yield from (line for line in self._startup() if line.name.startswith("start:"))
        for check in list(self._checks.values()):
            if self.started and check.rules.probe is Probe.STARTUP and check.engine.passed:
                continue
            yield check.line(Probe.READY)
        if self._items is not None:
            for item in self._items.items():
                yield from self._item(item)

    def _item(self, item: Item) -> Iterator[ReportLine]:
        try:
            verdict = item.health()
        except Exception as error:  # noqa: BLE001 - a mistake in one item must not cost the whole its report
            verdict = Verdict.warning(f"it could not be asked: {type(error).__name__}: {error}")
        if verdict is None:
            return
        default = self._weights.get((item.kind, None), None)
        weight = self._weights.get((item.kind, item.name), default)
        if weight is Criticality.CRITICAL and verdict.status is Status.WARN:
            verdict = Verdict.failing(verdict.detail)
        name = re.sub(r"\s+", "_", f"{item.kind}:{item.name}")
        yield ReportLine(name, verdict, weight or Criticality.CRITICAL)

    # -- running ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to run checks in the background, on the running loop, and to measure how late that is.

        One that runs already goes on. Raises RuntimeError where it runs on another loop.
        """
        loop = asyncio.get_running_loop()
        if self._keeper is not None and not self._keeper.done() and not self._keeper.get_loop().is_closed():
            if self._keeper.get_loop() is not loop:
                raise RuntimeError("the checks of this registry run on another loop already")
            return
        self._begun = True
        if self._detach is None:
            self._detach = slots.drain_begin.attach(self._drain_begins)
        self._news = asyncio.Event()
        self._heartbeat = Heartbeat(
            loop, lag_limit=self._lag_limit, stall_limit=self._stall_limit, clock=self._clock
        )
        self._heartbeat.start()
        self._keeper = loop.create_task(self._keep(), name=f"eyewall {self.name}")

    async def stop(self) -> None:
        """Ends what `start` began. What is known stays known."""
        keeper, self._keeper = self._keeper, None
        heartbeat, self._heartbeat = self._heartbeat, None
        if heartbeat is not None:
            heartbeat.stop()
        if self._detach is not None:
            self._detach()
            self._detach = None
        tasks = [check.task for check in self._checks.values() if check.task is not None]
        if keeper is not None:
            tasks.append(keeper)
        loop = asyncio.get_running_loop()
        tasks = [task for task in tasks if task.get_loop() is loop]
        for task in tasks:
            task.cancel()
        # Who waits for the start waits in vain.
        self._tell_keeper()
        if tasks:
            await asyncio.wait(tasks)

    def _drain_begins(self, drain: object) -> None:
        self.draining = True

    async def __aenter__(self) -> Health:
        self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def wait_started(self) -> None:
        """Waits until the start is over. Raises RuntimeError where no checks run in the background."""
        while not self.started:
            if not self.kept or self._news is None:
                raise RuntimeError("nothing would ever start: call start() first")
            await self._news.wait()

    def _running(self, check: Check) -> asyncio.Task[None] | None:
        """Returns the task that runs a check, or None."""
        task = check.task
        if task is None or not task.get_loop().is_closed():
            return task
        # Its loop was closed over it, and it will never end.
        check.task = None
        check.engine.abandon()
        return None

    def _begin(self, check: Check) -> asyncio.Task[None]:
        task = check.task = asyncio.get_running_loop().create_task(
            self._look(check), context=check.context.copy()
        )
        task.add_done_callback(lambda _: self._looked(check, task))
        return task

    async def _look(self, check: Check) -> None:
        if not await check.look():
            return
        verdict = check.engine.judge()
        if check.engine.failing:
            gen_log.warning(
                "Health check %r fails (%s): %s", check.name, check.rules.criticality, verdict.detail
            )
            check.tell("failing", detail=verdict.detail)
        else:
            gen_log.info("Health check %r passes again", check.name)
            check.tell("passing")

    def _looked(self, check: Check, task: asyncio.Task[None]) -> None:
        if check.task is task:
            check.task = None
        self._tell_keeper()

    def _tell_keeper(self) -> None:
        """Something has changed that the keeper, and who waits for the start, want to see."""
        news, self._news = self._news, None
        if news is not None:
            self._news = asyncio.Event()
            news.set()

    async def _keep(self) -> None:
        while True:
            news = self._news
            assert news is not None
            checks = list(self._checks.values())
            for check in checks:
                if self._running(check) is None and check.engine.due:
                    self._begin(check)
            at = min((check.engine.next_at for check in checks if check.task is None), default=math.inf)
            try:
                # Not every loop takes infinity for a time.
                async with asyncio.timeout(at - self._clock() if at < math.inf else None):
                    await news.wait()
            except TimeoutError:
                continue

    # -- as an item -------------------------------------------------------------------------------------

    def state(self) -> Mapping[str, Value]:
        """How the process is, as far as is known."""
        return {
            "live": self._known(Probe.LIVE).status.word,
            "ready": self._known(Probe.READY).status.word,
            "started": self.started,
            "draining": self.draining,
            "checks": len(self._checks),
        }

    def counters(self) -> Mapping[str, int]:
        """How often somebody has asked for a report, and how often the answer was no."""
        return {"reports": self._reports, "failed": self._bad_reports}


#: The one of this process.
health = Health()
