"""Tornado's `tornado.util`."""

from eyewall.base.util import ArgReplacer as ArgReplacer, Configurable as Configurable
from eyewall.base.util import GzipDecompressor as GzipDecompressor, ObjectDict as ObjectDict
from eyewall.base.util import TimeoutError as TimeoutError, basestring_type as basestring_type
from eyewall.base.util import bytes_type as bytes_type, doctests as doctests
from eyewall.base.util import errno_from_exception as errno_from_exception, exec_in as exec_in
from eyewall.base.util import import_object as import_object, raise_exc_info as raise_exc_info
from eyewall.base.util import re_unescape as re_unescape, timedelta_to_seconds as timedelta_to_seconds
from eyewall.base.util import unicode_type as unicode_type
from eyewall.websocket.mask import mask as _websocket_mask_python  # noqa: F401
