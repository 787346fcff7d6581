"""How often the interpreter looks for garbage in a server.

CPython counts the containers that it makes, less those that it frees, and looks for circles among the young ones when
that exceeds a number: 700, or 2,000 in later versions. A request under way has ten or twenty of them, all of which are
freed without its help. So a server with some dozens of requests that wait has it look with every wave of them, in vain.
A number that no wave reaches costs the memory of as many young objects, where there is garbage.
"""

from __future__ import annotations

import gc

#: What interpreters begin with.
_UNTOUCHED = (700, 2000)
#: What was set here; 0 as long as nothing was.
_ours = 0


def look_seldom(objects: int) -> None:
    """Has the interpreter look for garbage among the youngest objects when there are so many more; 0 changes nothing.

    It is set for the process: of several servers, the largest number counts. One that the program has set stays.
    """
    global _ours
    young, *older = gc.get_threshold()
    if objects > _ours and (young in _UNTOUCHED or 0 < young == _ours):
        gc.set_threshold(objects, *older)
        _ours = objects
