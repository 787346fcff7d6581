"""Starts Granian with one worker and what its documentation names as fastest."""

from pathlib import Path

from common import HOST
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops


def serve(target, interface, port):
    """Serves `target`, which is `module:name` of this folder, until a signal ends it."""
    Granian(
        target,
        address=HOST,
        port=port,
        interface=Interfaces(interface),
        workers=1,
        runtime_threads=1,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=4096,
        backpressure=20000,
        log_enabled=False,
        log_access=False,
        working_dir=Path(__file__).parent,
    ).serve()
