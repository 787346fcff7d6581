"""The application: what is served, and by whom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from chat.store import Store
from eyewall.guard import Hub
from eyewall.web import Application, HTTPError, RequestHandler, RoomHandler

HERE = Path(__file__).parent
LONGEST = 500


def checked(text: str) -> str:
    """Returns what may be said. Raises HTTPError for what may not."""
    text = text.strip()
    if not 1 <= len(text) <= LONGEST:
        raise HTTPError(400, "a message of %d characters", len(text), reason="1 to 500 characters, please")
    return text


class Room(RequestHandler):
    async def get(self) -> None:
        messages = await self.settings["store"].latest()
        self.render("room.html", messages=messages, longest=LONGEST)

    async def post(self) -> None:
        text = checked(self.get_body_argument("text"))
        await self.settings["store"].add(text)
        self.settings["hub"].publish("room", {"text": text})
        # So that reloading the page sends nothing again.
        self.redirect("/", status=303)


class Socket(RoomHandler):
    def open(self) -> None:
        self.join("room")

    async def on_message(self, message: str | bytes) -> None:
        try:
            text = checked(message if isinstance(message, str) else "")
        except HTTPError as error:
            self.close(1008, error.reason)
            return
        await self.settings["store"].add(text)
        self.publish("room", {"text": text})


def make_app(database: str | None = None, **settings: Any) -> Application:
    """Returns the application; `eyewall run` calls this, and so do the tests.

    `database`: the path of its file.
    """
    store = Store(database or os.environ.get("CHAT_DATABASE", "chat.db"))
    app = Application(
        [("/", Room), ("/socket", Socket)],
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        xsrf_cookies=True,
        store=store,
        hub=Hub("chat"),
        **settings,
    )
    app.lifecycle.on_shutdown("store")(store.close)
    return app
