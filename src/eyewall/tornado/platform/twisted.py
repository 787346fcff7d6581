"""Tornado's `tornado.platform.twisted`."""

from eyewall.loop.deferreds import install as install
