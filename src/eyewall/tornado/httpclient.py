"""Tornado's `tornado.httpclient`."""

from eyewall.client.simple import AsyncHTTPClient as AsyncHTTPClient
from eyewall.client.blocking import HTTPClient as HTTPClient
from eyewall.client.options import RequestOptions as _RequestProxy  # noqa: F401
from eyewall.client.program import main as main
from eyewall.client.request import HTTPClientError as HTTPClientError
from eyewall.client.request import HTTPError as HTTPError
from eyewall.client.request import HTTPRequest as HTTPRequest
from eyewall.client.request import HTTPResponse as HTTPResponse

if __name__ == "__main__":
    main()
