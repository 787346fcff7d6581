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
    item.textContent = event.data;
    document.querySelector("ul").append(item);
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


class Chat(WebSocketHandler):
    members: set["Chat"] = set()

    def open(self) -> None:
        self.members.add(self)

    def on_message(self, message: str | bytes) -> None:
        broadcast(self.members, message)

    def on_close(self) -> None:
        self.members.discard(self)


app = Application([("/", Page), ("/socket", Chat)])
