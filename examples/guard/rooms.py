"""A chat over several processes, and news that go on where a reader left them.

In one process: eyewall run examples/guard/rooms.py
In several, also on several machines, with a Redis between them:
REDIS_URL=redis://localhost:6379/0 eyewall run examples/guard/rooms.py --processes 4
"""

import os

from eyewall.guard import Change, Hub, Replay, Slow, Topic
from eyewall.web import Application, RequestHandler, RoomHandler, TopicHandler

PAGE = """<!doctype html>
<title>Chat</title>
<form><input name="text" autofocus autocomplete="off"> <button>Say</button></form>
<ul></ul>
<script>
  const name = prompt("Your name?", "guest");
  const path = "socket/lobby?name=" + encodeURIComponent(name);
  const socket = new WebSocket(location.href.replace("http", "ws") + path);
  socket.onmessage = (event) => {
    const {who, text, here} = JSON.parse(event.data);
    const item = document.createElement("li");
    item.textContent = here ? "Here: " + here.join(", ") : who + ": " + text;
    document.querySelector("ul").prepend(item);
  };
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    socket.send(event.target.text.value);
    event.target.reset();
  };
</script>
"""


def people(topic: Topic) -> list[str]:
    return [member.who for member in topic.presence.people()]


def announce(topic: Topic, change: Change) -> None:
    # Each process sees who comes and goes in all of them, and tells those who are with it.
    if change.alone:
        topic.announce({"here": people(topic)})


backplane = None
if "REDIS_URL" in os.environ:
    # pip install 'eyewall[redis]'
    from eyewall.guard import RedisBackplane

    backplane = RedisBackplane(os.environ["REDIS_URL"], stream="example:chat")

hub = Hub(
    "chat",
    backplane=backplane,
    replay=Replay(messages=200, age=600.0),
    on_presence=announce,
)


class Page(RequestHandler):
    def get(self) -> None:
        self.write(PAGE)


class Chat(RoomHandler):
    # Who does not keep up misses the oldest of 100 messages, and nobody waits for them.
    SLOW = Slow("drop_oldest", messages=100)

    def open(self, room: str) -> None:
        self.name = self.get_argument("name", "guest")[:40]
        membership = self.join(room, who=self.name)
        self.write_message({"here": people(membership.topic)})

    def on_message(self, message: str | bytes) -> None:
        if isinstance(message, bytes) or len(message) > 500:
            self.close(1008, "short texts only")
        else:
            self.publish(self.open_args[0], {"who": self.name, "text": message})


class News(TopicHandler):
    TOPICS = ("news",)
    RETRY = 2000


class Publish(RequestHandler):
    async def post(self) -> None:
        result = await self.settings["hub"].publish("news", self.get_body_argument("headline"), event="news")
        if not result.delivered:
            # The readers of this process have it, others perhaps not.
            self.set_status(202)
        self.write({"id": str(result.id), "delivered": result.delivered, "reason": result.reason})


app = Application(
    [("/", Page), ("/socket/([a-z]+)", Chat), ("/news", News), ("/publish", Publish)],
    hub=hub,
)
