"""Tornado's `tornado.platform.caresresolver`."""

from eyewall.net.caresresolver import CaresResolver as CaresResolver
