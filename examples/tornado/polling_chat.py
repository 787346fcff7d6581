"""A chat by long polling: a browser asks for what is new, and the answer waits until there is something.
Run it: python -m eyewall.tornado examples/tornado/polling_chat.py --port=8888"""

import asyncio
import collections
import datetime
import logging

import tornado.httpserver
import tornado.locks
import tornado.netutil
import tornado.web
from tornado.options import define, options, parse_command_line

define("port", default=8888, type=int, help="listen on this port")
define("patience", default=25.0, type=float, help="seconds after which an empty answer is given")

PAGE = """<!doctype html>
<title>Chat</title>
<form><input name="text" maxlength="500" autofocus autocomplete="off"> <button>Say</button></form>
<ul></ul>
<script>
  const token = document.cookie.match(/_xsrf=([^;]*)/)[1];
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(event.target));
    fetch("/messages", { method: "POST", body, headers: { "X-XSRFToken": token } });
    event.target.reset();
  };
  (async function listen(after) {
    try {
      const answer = await (await fetch("/messages?after=" + after)).json();
      for (const message of answer.messages) {
        const item = document.createElement("li");
        item.textContent = message.text;
        document.querySelector("ul").prepend(item);
      }
      listen(answer.last);
    } catch {
      setTimeout(listen, 2000, after);
    }
  })(0);
</script>
"""


class Room:
    """What was said lately. Numbers only grow, so that one number says all that a listener has heard."""

    def __init__(self):
        self.messages = collections.deque(maxlen=200)
        self.last = 0
        self.news = tornado.locks.Condition()

    def say(self, text):
        self.last += 1
        self.messages.append({"number": self.last, "text": text})
        self.news.notify_all()

    def since(self, number):
        return [message for message in self.messages if message["number"] > number]


class Page(tornado.web.RequestHandler):
    def get(self):
        # Reading the token is what sets its cookie.
        assert self.xsrf_token
        self.write(PAGE)


class Messages(tornado.web.RequestHandler):
    waiting = None

    def initialize(self, room):
        self.room = room

    async def get(self):
        try:
            after = int(self.get_query_argument("after", "0"))
        except ValueError:
            raise tornado.web.HTTPError(400, reason="after must be a number") from None
        # Beyond the last one is what a listener says who has heard another run of this program.
        after = after if after <= self.room.last else 0
        patience = datetime.timedelta(seconds=options.patience)
        while not self.room.since(after):
            self.waiting = self.room.news.wait(timeout=patience)
            try:
                if not await self.waiting:
                    break
            except asyncio.CancelledError:
                return
        self.write({"messages": self.room.since(after), "last": self.room.last})

    def post(self):
        text = self.get_body_argument("text").strip()
        if not 0 < len(text) <= 500:
            raise tornado.web.HTTPError(400, reason="Between 1 and 500 characters")
        self.room.say(text)
        self.set_status(204)

    def on_connection_close(self):
        # Nobody is left to be told.
        if self.waiting is not None:
            self.waiting.cancel()


async def main():
    application = tornado.web.Application(
        [("/", Page), ("/messages", Messages, {"room": Room()})], xsrf_cookies=True
    )
    server = tornado.httpserver.HTTPServer(application)
    sockets = tornado.netutil.bind_sockets(options.port, "127.0.0.1")
    server.add_sockets(sockets)
    logging.info("listening on port %d", sockets[0].getsockname()[1])
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    asyncio.run(main())
