"""The application: what is served, and by whom."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Any

from chat.store import Message, Store
from eyewall.guard import Hub
from eyewall.web import Application, HTTPError, RequestHandler, RoomHandler, authenticated

HERE = Path(__file__).parent
LONGEST = 500
NAME = re.compile(r"\w[\w .-]{0,38}\w")


def checked(text: str) -> str:
    """Returns what may be said. Raises HTTPError for what may not."""
    text = text.strip()
    if not 1 <= len(text) <= LONGEST:
        raise HTTPError(400, "a message of %d characters", len(text), reason="1 to 500 characters, please")
    return text


class Page(RequestHandler):
    """What knows who asks."""

    @property
    def store(self) -> Store:
        store: Store = self.settings["store"]
        return store

    def get_current_user(self) -> str | None:
        name = self.get_signed_cookie("user", max_age_days=7)
        return name.decode() if name else None


class SignIn(Page):
    def get(self) -> None:
        self.render("signin.html", refused=False)

    async def post(self) -> None:
        name, password = self.get_body_argument("name"), self.get_body_argument("password", strip=False)
        if not NAME.fullmatch(name) or not await self.store.sign_in(name, password):
            self.set_status(403)
            self.render("signin.html", refused=True)
            return
        # Only over TLS, where the page came that way.
        secure = self.request.protocol == "https"
        self.set_signed_cookie("user", name, expires_days=7, httponly=True, samesite="Lax", secure=secure)
        self.redirect("/", status=303)


class SignOut(Page):
    def post(self) -> None:
        self.clear_cookie("user")
        self.redirect("/signin", status=303)


class Room(Page):
    @authenticated
    async def get(self) -> None:
        self.render("room.html", messages=await self.store.latest(), longest=LONGEST)

    @authenticated
    async def post(self) -> None:
        message = Message(self.current_user, checked(self.get_body_argument("text")))
        await self.store.add(message)
        self.settings["hub"].publish("room", message._asdict())
        # So that reloading the page sends nothing again.
        self.redirect("/", status=303)


class Socket(Page, RoomHandler):
    def prepare(self) -> None:
        # Before the handshake: a WebSocket is redirected nowhere.
        if not self.current_user:
            raise HTTPError(403)

    def open(self) -> None:
        self.join("room", who=self.current_user)

    async def on_message(self, message: str | bytes) -> None:
        try:
            text = checked(message if isinstance(message, str) else "")
        except HTTPError as error:
            self.close(1008, error.reason)
            return
        said = Message(self.current_user, text)
        await self.store.add(said)
        self.publish("room", said._asdict())


def make_app(database: str | None = None, **settings: Any) -> Application:
    """Returns the application; `eyewall run` calls this, and so do the tests.

    `database`: the path of its file.
    """
    store = Store(database or os.environ.get("CHAT_DATABASE", "chat.db"))
    # Without one from outside everybody has to sign in again when the program is started again.
    secret = os.environ.get("CHAT_SECRET") or secrets.token_hex(32)
    app = Application(
        [("/", Room), ("/signin", SignIn), ("/signout", SignOut), ("/socket", Socket)],
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        xsrf_cookies=True,
        cookie_secret=secret,
        login_url="/signin",
        store=store,
        hub=Hub("chat"),
        **settings,
    )
    app.lifecycle.on_shutdown("store")(store.close)
    return app
