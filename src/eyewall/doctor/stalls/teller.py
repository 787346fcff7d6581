"""From blocks to findings: what the samples of a block say, told once, and again while it lasts and when it is over."""

from __future__ import annotations

import threading

from eyewall.doctor.finding import Finding
from eyewall.doctor.places import Place, is_own
from eyewall.doctor.stalls import readyqueue, report
from eyewall.doctor.stalls.garbage import Garbage
from eyewall.doctor.stalls.kinds import Kind, Sample, vote
from eyewall.doctor.stalls.sight import Sight
from eyewall.doctor.stalls.stack import EMPTY
from eyewall.doctor.stalls.turn import SHARE, THRESHOLD, Block, Shape

#: Samples that are kept of one turn, and culprits that are remembered.
SAMPLES = 300
CULPRITS = 200
#: Seconds after which a block that lasts is told of again; doubled each time.
UPDATE = 1.0
#: Callbacks of which it was seen who put them in that stand for all.
ENOUGH = 20
#: Seconds after which it is certain enough that collections take most of a block that lasts.
CERTAIN = 2 * THRESHOLD
#: Callbacks in the queue of a loop that has nothing else to compute.
CROWD = 1000
#: What a moment that two clocks show may differ by, in seconds.
_SLACK = 0.001


class Teller:
    """Makes findings of what `sight` has seen of the present turn."""

    def __init__(self, sight: Sight, garbage: Garbage, fillers: readyqueue.Fillers) -> None:
        self._sight = sight
        self._garbage = garbage
        self._fillers = fillers
        self._samples: list[Sample] = []
        self._told: Finding | None = None
        self._update = 0.0
        self._culprits: dict[tuple[str, str, str], Place] = {}
        # By file, who has put most callbacks in.
        self._starvers: dict[str, Place] = {}

    def add(self, sample: Sample) -> None:
        """Keeps a sample of the present turn."""
        if len(self._samples) >= SAMPLES:
            # Every other one stands for two.
            self._samples = [kept._replace(weight=2 * kept.weight) for kept in self._samples[::2]]
        self._samples.append(sample)

    def forget(self) -> None:
        """The turn is over."""
        self._samples.clear()
        self._told = None

    def tell(self, block: Block) -> Finding | None:
        """Returns the finding that `block` is, None where there is nothing (new) to say."""
        if block.first or self._told is None:
            # What was excused so far may go on as something else.
            self._told = self._find(block)
            self._update = 2 * max(UPDATE, block.wall) if self._told else 0.0
            return self._told
        if not block.over and block.wall < self._update:
            return None
        self._update = 2 * block.wall
        found = report.updated(self._told, block)
        if block.over:
            self._told = None
        return found

    def _find(self, block: Block) -> Finding | None:
        samples = [each for each in self._samples if block.began - _SLACK <= each.at <= block.ended + _SLACK]
        counting = [each for each in samples if each.doing.kind is not Kind.EXCUSED]
        is_excused = _weight(counting) < _weight(samples) / 2
        if is_excused and block.shape is not Shape.THREAD:
            return None
        samples = counting
        best = vote(samples)
        collections = [
            each._replace(stack=self._sight.within_callback(each.stack, each.thread))
            for each in self._garbage.within(block.began, block.ended)
        ]
        collecting = report.collecting(block, collections, best)
        if collecting is not None:
            if self._may_go_on(block):
                return None
            # Where the program asks for it, that line is the culprit, not whichever has made one object too many.
            asked = any(each.explicit for each in collections)
            return collecting if asked else self._settled(collecting)
        if block.shape is Shape.THREAD or (best is not None and best.doing.kind is Kind.THREAD):
            # What the loop did when it could not go on is of no importance; but the doctor has threads as well.
            found = self._of_thread(block)
            return None if is_excused and found.place is None else self._settled(found)
        if block.shape is Shape.MANY or (best is not None and self._sorts_timers(best)):
            return self._starving(block, samples)
        return None if best is None else self._settled(report.sampled(block, best))

    def _sorts_timers(self, sample: Sample) -> bool:
        """Whether it is the loop itself that computes: it puts a crowd of callbacks into its queue, which are due."""
        if sample.stack.spots or sample.doing.kind is not Kind.COMPUTING or self._sight.queue is None:
            return False
        return len(self._sight.queue) >= CROWD

    def _may_go_on(self, block: Block) -> bool:
        """Whether a collection has ended, and was short, and what was going on before it goes on: who makes many
        objects has them collected all the time, which need not be the most of it."""
        return not block.over and not self._garbage.running and block.wall < CERTAIN

    def _of_thread(self, block: Block) -> Finding:
        # Where several may have been it, none is named.
        suspects = [each for each in self._sight.suspects if each[1] >= block.wall / 2] or [
            each for each in self._sight.suspects if each[1] >= block.wall * SHARE
        ]
        ident, _, seen = suspects[0] if len(suspects) == 1 else (0, 0.0, EMPTY)
        name = next((each.name for each in threading.enumerate() if each.ident == ident), "")
        return report.threading(block, seen, name)

    def _starving(self, block: Block, samples: list[Sample]) -> Finding:
        waiting = readyqueue.waiting_in(self._sight.queue)
        # In one call of C: the loop's thread goes on to count.
        fillers = self._fillers.found.copy()
        if sum(fillers.values()) < ENOUGH:
            fillers = waiting
        place = readyqueue.most_frequent(fillers, [each.stack for each in samples])
        if place is not None and not any(is_own(each) for each in fillers):
            # Who is at work is seen by chance, and may be another one each time.
            place = self._starvers.get(place.file, place)
        elif place is not None and len(self._starvers) < CULPRITS:
            self._starvers.setdefault(place.file, place)
        shown = next((each.stack.places for each in samples if each.stack.spots), ())
        return report.starving(block, place, fillers, sum(waiting.values()), shown)

    def _settled(self, found: Finding) -> Finding:
        """Names the line that was named before, where another one of the same function would be a new fault."""
        place = found.place
        if place is None:
            return found
        where = "" if found.rule == Kind.GARBAGE.value else place.function
        key = (found.rule, place.file, where)
        known = self._culprits.get(key)
        if known is None:
            if len(self._culprits) < CULPRITS:
                self._culprits[key] = place
        elif found.rule in (Kind.COMPUTING.value, Kind.THREAD.value) or not where:
            return report.placed(found, known)
        return found


def _weight(samples: list[Sample]) -> float:
    return sum(each.weight for each in samples)
