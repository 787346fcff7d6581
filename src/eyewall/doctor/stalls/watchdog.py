"""The watchdog: a thread that looks at the thread of a loop.

    every 100 ms      does its pulse beat (`beats`)? Then all is well. Of most of these looks this thread knows nothing:
                      they need no interpreter (`vigil`).
    no beat, 50 ms    has the loop's thread used its CPU? Much, and the last ping was answered: it is busy and well.
                      Where is it? In the selector: idle. Elsewhere: a ping is put into the loop's queue.
    no answer, 20 ms  its stack, its system call, the head of its queue: again and again, less often as time goes by
    `Turn` says       blocked, starved, over; `Teller` says by what

A finding is reported in this thread, while the loop is blocked. Where the log is what is blocked, so is this thread, on
its lock; when the block ended is known from the loop's thread, and told later. While the loop does not run, nothing is
looked at. A stack that this thread can't look at, because it can't run, the dumper has (see there).
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import threading
import time
from collections import deque
from functools import partial

from eyewall.doctor.collector import Collector, failure
from eyewall.doctor.stalls import readyqueue
from eyewall.doctor.stalls.beats import Beat, Beats, is_awaited
from eyewall.doctor.stalls.dumper import Dumper
from eyewall.doctor.stalls.garbage import Garbage
from eyewall.doctor.stalls.outcry import Outcry
from eyewall.doctor.stalls.sight import Answer, Sight
from eyewall.doctor.stalls.teller import Teller
from eyewall.doctor.stalls.turn import LATE, Block, Turn
from eyewall.doctor.stalls.vigil import SLACK, SOON, Vigil

#: Seconds between two looks at a loop that answers, and at one that has been busy and well at the last `STEADY` looks.
#: A block that sleeps, and begins right after a look, seems shorter by as much.
PAUSE = 0.05
CALM = 0.1
STEADY = 1
#: And at one that does not, by the seconds for which it has not.
PAUSES = ((2.0, 0.25), (0.5, 0.05), (0.0, 0.02))
#: Looks after which it is seen whether the outcry has what it needs.
CHECKS = 10
#: A thread that waits for the interpreter is put to sleep at least once in so many switch intervals.
SELDOM = 16
#: Seconds without a look, after the next one was due, until the stack is dumped.
DUMP = 0.2
#: Seconds that a collection has to say that it has ended, and how often, since it may begin meanwhile.
GRACE = 0.005
GRACES = 3
#: Seconds without an answer, and callbacks seen to end, after which it is noted who fills the queue.
FILLING = 0.15
CALLBACKS = 2


class Watchdog:
    """Watches `loop`, which runs in this thread, and reports to `collector`. The times are in seconds, see `Turn`.

    `outcry`: whether to write to standard error while nothing can be reported (see there).
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        collector: Collector,
        threshold: float,
        starved: float,
        outcry: bool = False,
    ) -> None:
        self._loop = loop
        self._collector = collector
        self._call_soon = partial(type(loop).call_soon_threadsafe, loop)
        self._turn = Turn(threshold, starved)
        self._sight = Sight(loop)
        # It ends when this thread is to end: waiting for that is the pause.
        self._vigil = Vigil()
        self._beats = Beats(loop, self._sight, self._vigil)
        self._garbage = Garbage()
        self._fillers = readyqueue.Fillers(loop)
        self._teller = Teller(self._sight, self._garbage, self._fillers)
        self._dumper: Dumper | None = None
        self._cries = outcry
        self._outcry: Outcry | None = None
        # By the loop's thread; taken by ours.
        self._answers: deque[Answer] = deque()
        # How often this thread was put to sleep, and how often it has looked since that was asked.
        self._switches = 0
        self._looks = 0
        # How often somebody has looked since it was asked whether all is still there that is relied on.
        self._unchecked = 0
        # How many looks in a row have seen a loop that is busy and answers.
        self._well = 0
        # The beat that stands for an answer, where nobody has asked.
        self._beat: Beat | None = None
        self._process = os.getpid()
        self._started = False

    def start(self) -> None:
        """Starts the thread. To be called in that of the loop."""
        self._aim()
        self._garbage.start()
        self._rest()
        self._arm(hurry=False)
        self._started = True
        threading.Thread(target=self._run, name="eyewall-watchdog", daemon=True).start()
        self._loop.call_soon(self._answered)
        self._beats.start()

    def stop(self) -> None:
        """Lets the thread end. In a process that was forked since, there is none."""
        self._garbage.stop()
        self._beats.stop()
        if os.getpid() == self._process and self._started:
            self._started = False
            self._vigil.end()
        else:
            self._sight.close()

    def forked(self) -> None:
        """This is a child of the process, which has no such thread, and no use for what is known of the parent's."""
        self._garbage.stop()
        self._beats.forked()
        if self._dumper is not None:
            self._dumper.forked()
        if self._outcry is not None:
            self._outcry.forked()
        self._sight.close()

    def pause(self) -> None:
        """The loop runs no more: what the program does now blocks nobody. The next look sees whether it runs again."""
        self._beats.pause()
        self._disarm()

    def resume(self) -> None:
        """It is about to run again."""
        self._beats.resume()

    def _aim(self) -> None:
        if self._dumper is not None:
            self._dumper.stop()
        dumper = Dumper(self._sight.thread)
        self._dumper = dumper if dumper.start() else None
        if self._outcry is not None:
            self._outcry.stop()
            self._outcry = None
        # Where the dumper can't work, another loop of this process has it, or the machine has no such timers.
        if self._cries and self._dumper is not None:
            outcry = Outcry(self._sight.thread)
            self._outcry = outcry if outcry.start() else None

    def _run(self) -> None:
        due = time.monotonic() + PAUSE
        try:
            while not self._vigil.wait(due):
                pause = self._look(time.monotonic() - self._vigil.due)
                if pause is None:
                    break
                due = time.monotonic() + pause
        except Exception as error:  # noqa: BLE001 - it must neither harm the program nor end without a word
            self._collector.report(failure("The watchdog of the loop", error))
        finally:
            self._fillers.disarm()
            self._garbage.stop()
            if self._dumper is not None:
                self._dumper.stop()
            if self._outcry is not None:
                self._outcry.stop()
            self._sight.close()

    def _look(self, late: float) -> float | None:
        """Looks once. Returns the seconds until the next look, None where there is nothing left to watch."""
        vigil = self._vigil
        looks = max(1, vigil.looks)
        self._looks += looks
        self._unchecked += looks
        vigil.trust_nothing()
        if late < LATE and (self._beat is not None or self._turn.pinged):
            pause = self._goes_on(late)
            if pause is not None:
                return self._arm_timers(pause)
        if self._beat is not None:
            # It beats no more. It may have done many things since it has.
            self._beat, beat = None, self._beats.last
            if beat is not None:
                self._recall(beat)
            self._overdue(beat, late)
        self._well = 0
        if late >= LATE:
            self._sight.seize()
        late = self._let_collections_end(late)
        held = self._waited_for_interpreter(late)
        if not self._loop.is_running():
            self._rest()
            return None if self._loop.is_closed() else PAUSE
        answered = bool(self._answers)
        lost = late - held if late - held >= LATE else 0.0
        while self._answers:
            self._take(self._answers.popleft(), lost)
            lost = 0.0
        if late >= LATE and not self._turn.pinged:
            late, held = self._since_beat(late, held)
        pinged = self._turn.pinged
        try:
            tick = self._sight.look(late, held, marked=pinged or late >= LATE)
        except OSError:
            self._rest()
            return PAUSE
        if pinged or late >= LATE:
            self._teller.add(self._sight.sample(tick, self._dumper))
        blocks = self._turn.tick(tick)
        if self._turn.pinged and not pinged:
            self._ping()
        self._tell(blocks)
        if not pinged and not self._turn.pinged:
            beat, now = self._beats.last, time.monotonic()
            if is_awaited(beat, now):
                return self._arm_timers(self._trust(beat, now))
        # One that is busy and answers is well.
        return self._arm(hurry=not answered)

    def _let_collections_end(self, late: float) -> float:
        """Gives a collection the time to say that it has ended, as it has, since this thread runs; or to end: it may
        have come no further than to say that it begins. Returns the seconds by which this thread is late by now."""
        for _ in range(GRACES):
            if not self._garbage.running:
                break
            began = time.monotonic()
            time.sleep(GRACE)
            self._looks += 1
            waited = time.monotonic() - began - GRACE
            if waited >= LATE:
                self._sight.seize()
                late += waited
        return late

    def _since_beat(self, late: float, held: float) -> tuple[float, float]:
        """Returns for how long this thread is late, and the interpreter was held, since the loop has beaten last.

        A loop that lets go of the interpreter in each of its short turns need not be slow to keep it from a thread that
        waits: that takes longer to wake up than the loop to take it back.
        """
        beat = self._beats.last
        now = time.monotonic()
        if beat is None or beat.late >= LATE or beat.at <= now - late:
            return late, held
        self._recall(beat)
        since = now - beat.at
        return since, min(held, since)

    def _goes_on(self, late: float) -> float | None:
        """Trusts a loop for longer that beats; or asks one again that is busy and has answered in time, as one under
        load does at each look, until it has done so for a while. Returns the seconds until the next look; None where
        that is not so."""
        if self._garbage.running or not self._loop.is_running():
            return None
        now = time.monotonic()
        beat = self._beats.last
        if self._beat is not None:
            if beat == self._beat or not is_awaited(beat, now):
                return None
            self._waited_for_interpreter(late)
            return self._trust(beat, now)
        if not self._heard(late, now):
            return None
        self._waited_for_interpreter(late)
        self._well += 1
        if self._well > STEADY and is_awaited(beat, now):
            return self._trust(beat, now)
        self._ping()
        return PAUSE if self._well < STEADY else CALM

    def _trust(self, beat: Beat, now: float) -> float:
        """A loop that goes on to beat needs no look, nor a ping. Returns the seconds until it must have beaten."""
        self._beat = beat
        self._recall(beat)
        self._vigil.trust_beats()
        return beat.due + SLACK - now

    def _overdue(self, beat: Beat | None, late: float) -> None:
        """Says since when the loop is at work, if it is, that has not beaten when it should."""
        now = time.monotonic()
        if beat is not None and late < LATE and now >= beat.due:
            known = self._sight.turn_began()
            if known is not None and not beat.at <= known.at <= now:
                known = None
            if known is not None and known.first:
                self._turn.since(known.at, at_work=True)
                return
            # Had it been idle when it was to beat, it would have: it began before, at one moment as likely as another.
            began = max((beat.at + beat.due) / 2, 0.0 if known is None else known.at)
            if self._sight.cpu() - beat.cpu < (now - began) / 2:
                self._turn.since(began, at_work=True)
                return
        # Many callbacks may have computed.
        self._turn.since(now - late - PAUSE)

    def _recall(self, beat: Beat) -> None:
        """What was seen last is this beat."""
        tick = beat.as_tick()
        self._sight.recall(tick)
        self._turn.carry_on(tick)

    def _heard(self, late: float, now: float) -> bool:
        """Whether a busy loop has answered in time; takes the answer if so."""
        if len(self._answers) != 1:
            return False
        answer = self._answers[0]
        if not self._turn.is_prompt(answer.at, now):
            return False
        tick = self._sight.glance(late, answer)
        if tick is None:
            return False
        self._answers.popleft()
        self._forget()
        self._turn.go_on(answer.at, answer.cpu, tick.delay, tick, PAUSE)
        return True

    def _arm(self, *, hurry: bool) -> float:
        lag = self._turn.lag
        if lag >= FILLING and self._turn.callbacks >= CALLBACKS:
            self._fillers.arm()
        if not (self._turn.pinged and hurry):
            return self._arm_timers(PAUSE)
        return self._arm_timers(next(pause for since, pause in PAUSES if lag >= since))

    def _arm_timers(self, pause: float) -> float:
        if self._dumper is not None:
            if self._dumper.was_replaced():
                self._dumper.stop()
                self._dumper = None
            else:
                self._dumper.arm(pause + DUMP)
        if self._outcry is not None:
            if self._unchecked >= CHECKS:
                self._outcry.check()
            self._outcry.arm()
        if self._unchecked >= CHECKS:
            self._unchecked = 0
        self._vigil.arms(
            None if self._dumper is None else self._dumper.setting(SOON + SLACK + DUMP),
            None if self._outcry is None else self._outcry.setting(),
        )
        return pause

    def _disarm(self) -> None:
        # In either thread: read once, the other one may give it up.
        dumper, outcry = self._dumper, self._outcry
        if dumper is not None:
            dumper.disarm()
        if outcry is not None:
            outcry.disarm()

    def _rest(self) -> None:
        # Until it runs, a look is where the first turn begins.
        try:
            self._turn.rest(self._sight.look(0.0, 0.0))
        except OSError:
            # The thread has ended; whoever runs the loop next answers.
            self._turn.rest(None)
        self._forget()
        self._disarm()

    def _forget(self) -> None:
        self._teller.forget()
        self._fillers.disarm()

    def _waited_for_interpreter(self, late: float) -> float:
        """Returns for how long, of the seconds by which this thread comes late, it waited for the interpreter.

        A thread that does is put to sleep again each time that the switch interval has passed.
        """
        switches = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        # Each look has waited for its time, besides.
        slept = max(0, switches - self._switches - self._looks) * sys.getswitchinterval()
        self._switches, self._looks = switches, 0
        if late < LATE:
            return 0.0
        # On a machine that is busy, it comes to sleep less often than that.
        return late if slept >= late / SELDOM else min(late, slept)

    def _ping(self) -> None:
        try:
            # Not by what a detector has put over it to see who calls.
            self._call_soon(self._answered)
        except RuntimeError:
            # It was closed meanwhile.
            self._turn.rest(None)
        else:
            self._turn.mark(self._sight.mark())

    def _answered(self) -> None:
        # In the loop's thread.
        self._answers.append(Answer(self._sight.files))

    def _take(self, answer: Answer, lost: float) -> None:
        self._tell(self._turn.answered(answer.at, answer.cpu, answer.delay, lost))
        self._forget()
        if self._sight.learn(answer):
            self._aim()

    def _tell(self, blocks: list[Block]) -> None:
        for block in blocks:
            found = self._teller.tell(block)
            if found is not None:
                # Whoever takes the finding may keep this thread.
                self._disarm()
                self._collector.report(found)
