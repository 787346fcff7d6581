"""Tornado's `tornado.websocket`."""

from eyewall.client.websocket import WebSocketClientConnection as WebSocketClientConnection
from eyewall.client.websocket import websocket_connect as websocket_connect
from eyewall.web.websocket import WebSocketHandler as WebSocketHandler
from eyewall.websocket.errors import WebSocketClosedError as WebSocketClosedError
from eyewall.websocket.errors import WebSocketError as WebSocketError
from eyewall.websocket.protocols import WebSocketProtocol as WebSocketProtocol
from eyewall.websocket.protocols import WebSocketProtocol13 as WebSocketProtocol13
from eyewall.websocket.protocols import de_dupe_gen_log as de_dupe_gen_log
from eyewall.websocket.directions import MessageDeflater as _PerMessageDeflateCompressor  # noqa: F401
from eyewall.websocket.directions import MessageInflater as _PerMessageDeflateDecompressor  # noqa: F401
from eyewall.websocket.errors import MessageTooBig as _DecompressTooLargeError  # noqa: F401
