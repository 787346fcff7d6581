"""Tornado's `tornado.netutil`."""

from eyewall.net.acceptor import add_accept_handler as add_accept_handler
from eyewall.net.address import bind_sockets as bind_sockets, bind_unix_socket as bind_unix_socket
from eyewall.net.address import is_valid_ip as is_valid_ip
from eyewall.net.resolver import BlockingResolver as BlockingResolver
from eyewall.net.resolver import DefaultExecutorResolver as DefaultExecutorResolver
from eyewall.net.resolver import DefaultLoopResolver as DefaultLoopResolver
from eyewall.net.resolver import ExecutorResolver as ExecutorResolver, OverrideResolver as OverrideResolver
from eyewall.net.resolver import Resolver as Resolver, ThreadedResolver as ThreadedResolver
from eyewall.net.tls import ssl_options_to_context as ssl_options_to_context
from eyewall.net.tls import ssl_wrap_socket as ssl_wrap_socket
