"""Tornado's `tornado.template`."""

from eyewall.web.template import BaseLoader as BaseLoader, DictLoader as DictLoader, Loader as Loader
from eyewall.web.template import ParseError as ParseError, Template as Template
from eyewall.web.template import filter_whitespace as filter_whitespace
