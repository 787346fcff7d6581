"""Tornado's `tornado.tcpserver`."""

from eyewall.net.tcpserver import TCPServer as TCPServer
