"""Tornado's `tornado.autoreload`."""

from eyewall.loop.autoreload import add_reload_hook as add_reload_hook, main as main, start as start
from eyewall.loop.autoreload import wait as wait, watch as watch
