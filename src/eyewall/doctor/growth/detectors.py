"""All that looks for growth, in the order in which it has to look."""

from __future__ import annotations

from eyewall.doctor.detector import Detector
from eyewall.doctor.growth.callbacks import Callbacks
from eyewall.doctor.growth.census import Census, CensusEnd
from eyewall.doctor.growth.descriptors import DescriptorLeaks
from eyewall.doctor.growth.executors import ExecutorQueues
from eyewall.doctor.growth.kept import PATIENCE, Kept
from eyewall.doctor.growth.pileups import PileUps
from eyewall.doctor.growth.queues import QueuesThatGrow
from eyewall.doctor.growth.searches import Searches
from eyewall.doctor.growth.writebuffers import WriteBuffers
from eyewall.doctor.sweep import Sweep


def growing(sweep: Sweep, kept: float = PATIENCE) -> list[Detector]:
    """Returns the detectors of what grows. `kept`: the seconds that something may stay after its end."""
    # What others do on the same machine makes it no dearer.
    census, searches = Census(), Searches()
    return [
        census,
        Kept(census, searches, patience=kept),
        PileUps(sweep, searches),
        DescriptorLeaks(),
        ExecutorQueues(),
        Callbacks(),
        QueuesThatGrow(census, searches),
        WriteBuffers(census),
        CensusEnd(census),
        searches,
    ]
