"""Tornado's `tornado.web`."""

from eyewall.web.application import Application as Application
from eyewall.web.decorators import addslash as addslash, authenticated as authenticated
from eyewall.web.decorators import is_absolute as is_absolute, removeslash as removeslash
from eyewall.web.decorators import stream_request_body as stream_request_body
from eyewall.web.errors import Finish as Finish, HTTPError as HTTPError
from eyewall.web.errors import MissingArgumentError as MissingArgumentError
from eyewall.web.handler import RequestHandler as RequestHandler
from eyewall.web.handlers import ErrorHandler as ErrorHandler, FallbackHandler as FallbackHandler
from eyewall.web.handlers import RedirectHandler as RedirectHandler
from eyewall.web.routing import URLSpec as URLSpec, url as url
from eyewall.web.signing import DEFAULT_SIGNED_VALUE_MIN_VERSION as DEFAULT_SIGNED_VALUE_MIN_VERSION
from eyewall.web.signing import DEFAULT_SIGNED_VALUE_VERSION as DEFAULT_SIGNED_VALUE_VERSION
from eyewall.web.signing import MAX_SUPPORTED_SIGNED_VALUE_VERSION as MAX_SUPPORTED_SIGNED_VALUE_VERSION
from eyewall.web.signing import MIN_SUPPORTED_SIGNED_VALUE_VERSION as MIN_SUPPORTED_SIGNED_VALUE_VERSION
from eyewall.web.signing import create_signed_value as create_signed_value
from eyewall.web.signing import decode_signed_value as decode_signed_value
from eyewall.web.signing import get_signature_key_version as get_signature_key_version
from eyewall.web.signing import signature_v1 as _create_signature_v1  # noqa: F401
from eyewall.web.signing import signature_v2 as _create_signature_v2  # noqa: F401
from eyewall.web.static import StaticFileHandler as StaticFileHandler
from eyewall.web.transforms import GZipContentEncoding as GZipContentEncoding
from eyewall.web.transforms import OutputTransform as OutputTransform
from eyewall.web.uimodules import TemplateModule as TemplateModule, UIModule as UIModule
