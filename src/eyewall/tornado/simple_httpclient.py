"""Tornado's `tornado.simple_httpclient`."""

from eyewall.client.request import HTTPStreamClosedError as HTTPStreamClosedError
from eyewall.client.request import HTTPTimeoutError as HTTPTimeoutError
from eyewall.client.simple import SimpleAsyncHTTPClient as SimpleAsyncHTTPClient
