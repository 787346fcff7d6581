"""Tornado's `tornado.websocket`."""

from eyewall.client.websocket import WebSocketClientConnection as WebSocketClientConnection
from eyewall.client.websocket import websocket_connect as websocket_connect
from eyewall.web.websocket import WebSocketHandler as WebSocketHandler
from eyewall.websocket.errors import WebSocketClosedError as WebSocketClosedError
from eyewall.websocket.errors import WebSocketError as WebSocketError
