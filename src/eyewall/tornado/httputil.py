"""Tornado's `tornado.httputil`."""

from eyewall.base.clock import format_timestamp as format_timestamp
from eyewall.http.cookies import parse_cookie as parse_cookie
from eyewall.http.delegates import HTTPConnection as HTTPConnection
from eyewall.http.delegates import HTTPMessageDelegate as HTTPMessageDelegate
from eyewall.http.delegates import HTTPServerConnectionDelegate as HTTPServerConnectionDelegate
from eyewall.http.errors import HTTPInputError as HTTPInputError, HTTPOutputError as HTTPOutputError
from eyewall.http.formconfig import TORNADO_BODY_CONFIG as _DEFAULT_PARSE_BODY_CONFIG  # noqa: F401
from eyewall.http.formconfig import ParseBodyConfig as ParseBodyConfig
from eyewall.http.formconfig import ParseMultipartConfig as ParseMultipartConfig
from eyewall.http.formconfig import ParseUrlEncodedConfig as ParseUrlEncodedConfig
from eyewall.http.forms import HTTPFile as HTTPFile, parse_body_arguments as parse_body_arguments
from eyewall.http.forms import parse_multipart_form_data as parse_multipart_form_data
from eyewall.http.forms import set_parse_body_config as set_parse_body_config
from eyewall.http.grammar import HTTP_WHITESPACE as HTTP_WHITESPACE, PATTERNS as _ABNF  # noqa: F401
from eyewall.http.headers import HTTPHeaders as HTTPHeaders
from eyewall.http.parameters import parse_parameters as _parse_header  # noqa: F401
from eyewall.http.request import HTTPServerRequest as HTTPServerRequest
from eyewall.http.startline import RequestStartLine as RequestStartLine
from eyewall.http.startline import ResponseStartLine as ResponseStartLine, responses as responses
from eyewall.http.startline import parse_request_start_line as parse_request_start_line
from eyewall.http.startline import parse_response_start_line as parse_response_start_line
from eyewall.http.url import doctests as doctests, encode_username_password as encode_username_password
from eyewall.http.url import qs_to_qsl as qs_to_qsl, split_host_and_port as split_host_and_port
from eyewall.http.url import url_concat as url_concat
