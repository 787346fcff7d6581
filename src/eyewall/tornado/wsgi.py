"""Tornado's `tornado.wsgi`."""

from eyewall.http.request import HTTPServerRequest as HTTPRequest  # noqa: F401
from eyewall.http.wsgi import WSGIContainer as WSGIContainer, to_wsgi_str as to_wsgi_str
