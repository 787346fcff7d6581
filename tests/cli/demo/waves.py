"""All faults of the page 'Break it', in the order in which tests press them.

Those that block the loop come one after the other. The others take their time without a CPU, so that many go on at
once: all but those that hide each other. (Where files and sockets are left open at once, only most of them are told of;
and how many descriptors there are explains how many tasks and timers there are.)
"""

from __future__ import annotations

from eyewall.cli.demo.breaking.catalogue import FAULTS

BLOCKING = [name for name, fault in FAULTS.items() if fault.blocks]
SECOND = ["notices", "history", "probes", "thumbnails", "printer", "beats", "crawler", "clicks", "ticker"]
FIRST = [name for name in FAULTS if name not in (*BLOCKING, *SECOND)]

#: Faults that are pressed together, when those before them are over.
WAVES = [*([name] for name in BLOCKING), FIRST, SECOND]
