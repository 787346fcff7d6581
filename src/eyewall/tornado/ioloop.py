"""Tornado's `tornado.ioloop`."""

from eyewall.base.util import Configurable as Configurable, TimeoutError as TimeoutError
from eyewall.base.util import import_object as import_object
from eyewall.loop.aioloop import enable_stack_logging as enable_stack_logging
from eyewall.loop.ioloop import IOLoop as IOLoop
from eyewall.loop.periodic import PeriodicCallback as PeriodicCallback
