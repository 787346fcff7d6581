"""Tornado's `tornado.iostream`."""

from eyewall.net.basestream import BaseIOStream as BaseIOStream
from eyewall.net.errors import StreamBufferFullError as StreamBufferFullError
from eyewall.net.errors import StreamClosedError as StreamClosedError
from eyewall.net.errors import UnsatisfiableReadError as UnsatisfiableReadError
from eyewall.net.iostream import IOStream as IOStream, SSLIOStream as SSLIOStream
from eyewall.net.iostream import doctests as doctests
from eyewall.net.pipestream import PipeIOStream as PipeIOStream
from eyewall.net.sendqueue import SendQueue as _StreamBuffer  # noqa: F401
