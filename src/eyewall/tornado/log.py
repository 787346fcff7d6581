"""Tornado's `tornado.log`."""

from eyewall.base.log import LogFormatter as LogFormatter, access_log as access_log, app_log as app_log
from eyewall.base.log import colorama as colorama, curses as curses
from eyewall.base.log import define_logging_options as define_logging_options
from eyewall.base.log import enable_pretty_logging as enable_pretty_logging, gen_log as gen_log
from eyewall.loop.aioloop import enable_stack_logging as enable_stack_logging
