"""A blog with an SQLite database and authors who log in.
Run it: python -m eyewall.tornado examples/tornado/blog/blog.py --port=8888 --database=blog.db"""

import asyncio
import hashlib
import hmac
import logging
import os
import re
import secrets
import unicodedata

import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.web
from database import Database
from tornado.options import define, options, parse_command_line

define("port", default=8888, type=int, help="listen on this port")
define("database", default="blog.db", help="the file of the database")
define("secret", default="", help="signs the cookies; without one, everybody is logged out when this stops")

HERE = os.path.dirname(os.path.abspath(__file__))


def scrambled(password, salt):
    """What is kept of a password. Takes long, on purpose: not for the thread of the loop."""
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


def slug_of(title):
    """A title as a part of an address."""
    text = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", text).strip("-") or "entry"


class Handler(tornado.web.RequestHandler):
    @property
    def database(self):
        return self.settings["database"]

    async def prepare(self):
        author = self.get_signed_cookie("author")
        if author is not None:
            self.current_user = await self.database.one("SELECT * FROM authors WHERE id = ?", int(author))

    async def compute(self, function, *args):
        return await tornado.ioloop.IOLoop.current().run_in_executor(None, function, *args)

    def log_in(self, author):
        self.set_signed_cookie("author", str(author), httponly=True, samesite="Lax")
        target = self.get_argument("next", "/")
        # Only to a page of this site. Browsers take two slashes of either kind for another one, and skip white space.
        self.redirect(target if re.fullmatch(r"/(?![/\\])[!-~]*", target) else "/")


class Home(Handler):
    async def get(self):
        entries = await self.database.all("SELECT * FROM entries ORDER BY id DESC LIMIT 10")
        self.render("home.html", entries=entries)


class Entry(Handler):
    async def get(self, slug):
        entry = await self.database.one("SELECT * FROM entries WHERE slug = ?", slug)
        if entry is None:
            raise tornado.web.HTTPError(404)
        self.render("entry.html", entry=entry)


class Feed(Handler):
    async def get(self):
        entries = await self.database.all("SELECT * FROM entries ORDER BY id DESC LIMIT 20")
        self.set_header("Content-Type", "application/atom+xml")
        self.render("feed.xml", entries=entries, base=f"{self.request.protocol}://{self.request.host}")


class Compose(Handler):
    """A new entry, or with ?id= one that is there."""

    async def entry(self):
        number = self.get_argument("id", None)
        if number is None:
            return None
        if not number.isdecimal():
            raise tornado.web.HTTPError(400)
        entry = await self.database.one("SELECT * FROM entries WHERE id = ?", int(number))
        if entry is None:
            raise tornado.web.HTTPError(404)
        if entry["author"] != self.current_user["id"]:
            raise tornado.web.HTTPError(403)
        return entry

    @tornado.web.authenticated
    async def get(self):
        self.render("compose.html", entry=await self.entry())

    @tornado.web.authenticated
    async def post(self):
        entry = await self.entry()
        title, text = self.get_body_argument("title"), self.get_body_argument("text")
        if not title:
            raise tornado.web.HTTPError(400, reason="A title is needed")
        if entry is not None:
            await self.database.do(
                "UPDATE entries SET title = ?, text = ? WHERE id = ?", title, text, entry["id"]
            )
            self.redirect(f"/entry/{entry['slug']}")
            return
        slug = slug_of(title)
        while await self.database.one("SELECT 1 FROM entries WHERE slug = ?", slug) is not None:
            slug = f"{slug_of(title)}-{secrets.token_hex(3)}"
        await self.database.do(
            "INSERT INTO entries (slug, title, text, author, published) VALUES (?, ?, ?, ?, datetime())",
            slug,
            title,
            text,
            self.current_user["id"],
        )
        self.redirect(f"/entry/{slug}")


class Register(Handler):
    """The first author makes himself one; others ask him."""

    async def prepare(self):
        await super().prepare()
        first = await self.database.one("SELECT 1 FROM authors") is None
        if not first and self.current_user is None:
            self.redirect("/login")

    def get(self):
        self.render("register.html", complaint=None)

    async def post(self):
        name, password = self.get_body_argument("name"), self.get_body_argument("password", strip=False)
        if not name or len(password) < 8:
            self.set_status(400)
            self.render("register.html", complaint="A name, and a password of 8 characters at least")
            return
        salt = secrets.token_bytes(16)
        number = await self.database.do(
            "INSERT OR IGNORE INTO authors (name, salt, password) VALUES (?, ?, ?)",
            name,
            salt,
            await self.compute(scrambled, password, salt),
        )
        if number is None:
            self.set_status(409)
            self.render("register.html", complaint="There is somebody of this name")
            return
        self.log_in(number)


class Login(Handler):
    def get(self):
        self.render("login.html", complaint=None)

    async def post(self):
        name, password = self.get_body_argument("name"), self.get_body_argument("password", strip=False)
        author = await self.database.one("SELECT * FROM authors WHERE name = ?", name)
        # Takes as long for a name that does not exist.
        salt, expected = (author["salt"], author["password"]) if author is not None else (b"", b"")
        if not hmac.compare_digest(await self.compute(scrambled, password, salt), expected):
            self.set_status(403)
            self.render("login.html", complaint="Unknown name or wrong password")
            return
        self.log_in(author["id"])


class Logout(Handler):
    def post(self):
        self.clear_cookie("author")
        self.redirect("/")


class Text(tornado.web.UIModule):
    """Text as paragraphs."""

    def render(self, text):
        return self.render_string(
            "text.html", paragraphs=re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
        )


def application(database):
    return tornado.web.Application(
        [
            ("/", Home),
            ("/entry/([a-z0-9-]+)", Entry),
            ("/feed", Feed),
            ("/compose", Compose),
            ("/register", Register),
            ("/login", Login),
            ("/logout", Logout),
        ],
        template_path=os.path.join(HERE, "templates"),
        ui_modules={"Text": Text},
        xsrf_cookies=True,
        cookie_secret=options.secret or secrets.token_hex(32),
        login_url="/login",
        database=database,
    )


async def main():
    database = await Database.open(options.database)
    server = tornado.httpserver.HTTPServer(application(database))
    sockets = tornado.netutil.bind_sockets(options.port, "127.0.0.1")
    server.add_sockets(sockets)
    logging.info("listening on port %d", sockets[0].getsockname()[1])
    await asyncio.Event().wait()


if __name__ == "__main__":
    parse_command_line()
    asyncio.run(main())
