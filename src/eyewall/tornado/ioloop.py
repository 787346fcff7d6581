"""Tornado's `tornado.ioloop`."""

from eyewall.loop.ioloop import IOLoop as IOLoop
from eyewall.loop.periodic import PeriodicCallback as PeriodicCallback
