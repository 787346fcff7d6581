"""Tornado's `tornado.wsgi`."""

from eyewall.http.wsgi import WSGIContainer as WSGIContainer, to_wsgi_str as to_wsgi_str
