"""Tornado's `tornado.options`."""

from eyewall.base.options import Error as Error, OptionParser as OptionParser
from eyewall.base.options import add_parse_callback as add_parse_callback, define as define
from eyewall.base.options import options as options, parse_command_line as parse_command_line
from eyewall.base.options import parse_config_file as parse_config_file, print_help as print_help
