"""A chat: one room, everybody hears everybody. Run it: eyewall run examples/chat.py"""

from eyewall.base import json_encode
from eyewall.web import Application, RequestHandler, WebSocketHandler
from eyewall.websocket import broadcast

PAGE = """<!doctype html>
<title>Chat</title>
<form><input name="text" autofocus autocomplete="off"> <button>Say</button></form>
<ul></ul>
<script>
  const socket = new WebSocket(location.href.replace("http", "ws") + "socket");
  socket.onmessage = (event) => {
    const item = document.createElement("li");
    item.textContent = JSON.parse(event.data).text;
    document.querySelector("ul").prepend(item);
  };
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    socket.send(event.target.text.value);
    event.target.reset();
  };
</script>
"""


class Page(RequestHandler):
    def get(self) -> None:
        self.write(PAGE)


class Room(WebSocketHandler):
    members: set["Room"] = set()

    def open(self) -> None:
        self.members.add(self)
        self.tell_all(f"{len(self.members)} here")

    def on_message(self, message: str | bytes) -> None:
        if isinstance(message, bytes) or len(message) > 500:
            self.close(1008, "short texts only")
        else:
            self.tell_all(message)

    def on_close(self) -> None:
        self.members.discard(self)
        self.tell_all(f"{len(self.members)} here")

    def tell_all(self, text: str) -> None:
        # Encoded once. Who is slow misses it, so that nobody has to wait or be remembered.
        broadcast(self.members, json_encode({"text": text}), skip_slow=True)


app = Application([("/", Page), ("/socket", Room)])
