"""Tornado's `tornado.curl_httpclient`. Needs pycurl: `pip install eyewall[curl]`."""

from eyewall.client.curl import CR_OR_LF_RE as CR_OR_LF_RE
from eyewall.client.curl import CurlAsyncHTTPClient as CurlAsyncHTTPClient
from eyewall.client.curl import CurlError as CurlError
from eyewall.client.curl import curl_log as curl_log
from eyewall.client.curlbuffer import CurlStreamingBuffer as _CurlStreamingBuffer  # noqa: F401
