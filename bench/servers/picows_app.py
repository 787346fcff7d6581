"""picows on uvloop: frames handed to a listener, no queue, no task."""

import uvloop
from common import HOST, options
from picows import WSListener, WSMsgType, ws_create_server


class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        kind = frame.msg_type
        if kind in (WSMsgType.BINARY, WSMsgType.TEXT):
            transport.send(kind, frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


class Room(WSListener):
    members = set()

    def on_ws_connected(self, transport):
        self.members.add(transport)

    def on_ws_disconnected(self, transport):
        self.members.discard(transport)

    def on_ws_frame(self, transport, frame):
        kind = frame.msg_type
        if kind in (WSMsgType.BINARY, WSMsgType.TEXT):
            payload = frame.get_payload_as_bytes()
            for member in self.members:
                member.send(kind, payload)
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


def listener(request):
    return Room() if request.path == b"/room" else Echo()


async def main():
    server = await ws_create_server(listener, HOST, options().port, backlog=4096)
    await server.serve_forever()


uvloop.run(main())
