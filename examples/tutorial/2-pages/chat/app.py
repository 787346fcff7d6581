"""The application: what is served, and by whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    messages: list[str] = []

    def get(self) -> None:
        self.render("room.html", messages=self.messages, longest=LONGEST)

    def post(self) -> None:
        self.messages.append(checked(self.get_body_argument("text")))
        # So that reloading the page sends nothing again.
        self.redirect("/", status=303)


def make_app(**settings: Any) -> Application:
    """Returns the application; `eyewall run` calls this, and so do the tests."""
    return Application(
        [("/", Room)],
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        xsrf_cookies=True,
        **settings,
    )
