"""The application: what is served, and by whom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from chat.store import Store
from eyewall.web import Application, HTTPError, RequestHandler

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
        await self.settings["store"].add(checked(self.get_body_argument("text")))
        # So that reloading the page sends nothing again.
        self.redirect("/", status=303)


def make_app(database: str | None = None, **settings: Any) -> Application:
    """Returns the application; `eyewall run` calls this, and so do the tests.

    `database`: the path of its file.
    """
    store = Store(database or os.environ.get("CHAT_DATABASE", "chat.db"))
    app = Application(
        [("/", Room)],
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        xsrf_cookies=True,
        store=store,
        **settings,
    )
    app.lifecycle.on_shutdown("store")(store.close)
    return app
