"""Hearing of what is opened (files, sockets, databases, processes), at the price of two comparisons for all else.

The interpreter tells an audit hook of much more: of each frame that is asked for its code, of each function that is
looked at, of imports. A hook in Python is called for all of it, a tenth of a microsecond each time, by a logging call
some times over. Compiled, the hook is one of C, which passes on what is wanted (see `audits.pxd`); otherwise it is an
ordinary one, and whoever listens has to look at the event's name.
"""

from __future__ import annotations

import sys

#: The events that are told of.
EVENTS = ("open", "socket.__new__", "sqlite3.connect", "subprocess.Popen")

#: Has a function called with the name and the arguments of each event, from now on and for ever. Compiled, of those of
#: `EVENTS` only, and a second function takes the place of the first.
hear = sys.addaudithook
