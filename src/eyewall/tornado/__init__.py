"""Tornado's API: a program written for it runs after `tornado` in its imports became `eyewall.tornado`.

Each module re-exports what its namesake documents, from the layers where it lives. The first import makes Tornado's
profile (its documented limits and leniencies) the active one, unless the program has chosen a profile before.
"""

from eyewall._version import TORNADO_API_VERSION
from eyewall.guard.profile import NATIVE, TORNADO, activate, active

version = TORNADO_API_VERSION
version_info = (*map(int, version.split(".")), 0)

if active() is NATIVE:
    activate(TORNADO)
