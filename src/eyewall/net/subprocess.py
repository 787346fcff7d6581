"""`Subprocess` with streams: what `loop.process` has, once somebody needs it together with pipes."""

from __future__ import annotations

from eyewall.loop.process import Subprocess
from eyewall.net.pipestream import PipeIOStream

__all__ = ["Subprocess"]

Subprocess.pipe_stream = PipeIOStream
