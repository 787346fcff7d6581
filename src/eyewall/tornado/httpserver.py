"""Tornado's `tornado.httpserver`."""

from eyewall.http.request import HTTPServerRequest as HTTPRequest  # noqa: F401
from eyewall.http.server import HTTPServer as HTTPServer
