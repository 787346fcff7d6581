"""Tornado's `tornado.tcpclient`."""

from eyewall.net.connector import ConnectRace as _Connector, format_address as _format_addr  # noqa: F401
from eyewall.net.tcpclient import TCPClient as TCPClient
