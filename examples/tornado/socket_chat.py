"""A chat over WebSockets, with as many rooms as there are names for them.
Run it: python -m eyewall.tornado examples/tornado/socket_chat.py --port=8888"""

import asyncio
import collections
import logging

import tornado.escape
import tornado.httpserver
import tornado.netutil
import tornado.template
import tornado.web
import tornado.websocket
from tornado.options import define, options, parse_command_line

define("port", default=8888, type=int, help="listen on this port")

PAGE = tornado.template.Template("""<!doctype html>
<title>{{ room }}</title>
<h1>{{ room }}</h1>
<form><input name="text" maxlength="500" autofocus autocomplete="off"> <button>Say</button></form>
<p></p>
<ul></ul>
<script>
  const address = location.href.replace(/^http/, "ws") + "/socket?name=" + encodeURIComponent(prompt("Your name?"));
  const socket = new WebSocket(address);
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.present) {
      document.querySelector("p").textContent = message.present.join(", ");
      return;
    }
    const item = document.createElement("li");
    item.textContent = message.name + ": " + message.text;
    document.querySelector("ul").prepend(item);
  };
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    socket.send(JSON.stringify({ text: event.target.text.value }));
    event.target.reset();
  };
</script>
""")


class Room:
    """Who is here, and what was said lately, for those who come later."""

    def __init__(self):
        self.members = set()
        self.said = collections.deque(maxlen=50)

    def tell(self, message):
        text = tornado.escape.json_encode(message)
        for member in tuple(self.members):
            member.hear(text)

    def tell_who_is_here(self):
        self.tell({"present": sorted(member.name for member in self.members)})


class Page(tornado.web.RequestHandler):
    def get(self, room):
        self.write(PAGE.generate(room=room))


class Seat(tornado.websocket.WebSocketHandler):
    """One member of a room."""

    def initialize(self, rooms):
        self.rooms = rooms
        self.room = None

    def open(self, name):
        self.name = self.get_query_argument("name", "").strip()[:30]
        if not self.name:
            self.close(1008, "A name is needed")
            return
        self.room = self.rooms[name]
        for message in self.room.said:
            self.hear(tornado.escape.json_encode(message))
        self.room.members.add(self)
        self.room.tell_who_is_here()

    def on_message(self, message):
        if self.room is None:
            return
        try:
            text = tornado.escape.json_decode(message)["text"].strip()
        except (ValueError, TypeError, KeyError, AttributeError):
            self.close(1008, "A message is an object with a text")
            return
        if text:
            said = {"name": self.name, "text": text[:500]}
            self.room.said.append(said)
            self.room.tell(said)

    def hear(self, text):
        try:
            self.write_message(text)
        except tornado.websocket.WebSocketClosedError:
            # On its way out; on_close comes.
            pass

    def on_close(self):
        if self.room is not None:
            self.room.members.discard(self)
            self.room.tell_who_is_here()


async def main():
    rooms = collections.defaultdict(Room)
    application = tornado.web.Application(
        [
            ("/", tornado.web.RedirectHandler, {"url": "/lobby", "permanent": False}),
            (r"/(\w{1,30})", Page),
            (r"/(\w{1,30})/socket", Seat, {"rooms": rooms}),
        ],
        websocket_ping_interval=20,
        websocket_max_message_size=16 * 1024,
    )
    server = tornado.httpserver.HTTPServer(application)
    sockets = tornado.netutil.bind_sockets(options.port, "127.0.0.1")
    server.add_sockets(sockets)
    logging.info("listening on port %d", sockets[0].getsockname()[1])
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    asyncio.run(main())
