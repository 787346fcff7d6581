"""The application: which handler answers what, and how."""

from __future__ import annotations

import secrets
from pathlib import Path

from eyewall._version import VERSION
from eyewall.cli.demo import modules
from eyewall.cli.demo.handlers.base import NotFound
from eyewall.cli.demo.handlers.breaking import Break, Breaking, BreakOne
from eyewall.cli.demo.handlers.chat import Chat, ChatSocket
from eyewall.cli.demo.handlers.files import Download, FileItem, FileList, Files, Upload
from eyewall.cli.demo.handlers.guestbook import GuestBookPage
from eyewall.cli.demo.handlers.home import Home, Name, Ping
from eyewall.cli.demo.handlers.live import Block, Live, Numbers
from eyewall.cli.demo.handlers.tasks import TaskItem, TaskList, TaskPage
from eyewall.cli.demo.limits import PROFILE
from eyewall.cli.demo.state import Demo
from eyewall.web import Application, StaticFileHandler
from eyewall.web.locale import load_translations

DIRECTORY = Path(__file__).parent


class Assets(StaticFileHandler):
    """Styles and scripts. With a version in its URL, as in pages, a file may be kept for years.

    A script that another one imports has none; a browser asks whether what it has is still good.
    """

    def set_extra_headers(self, path: str) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        if "v" not in self.request.query_arguments:
            self.set_header("Cache-Control", "no-cache")


def make_app(demo: Demo) -> Application:
    """Returns the application that shows `demo`. Loads the translations of this process anew."""
    load_translations(str(DIRECTORY / "locale"))
    state = {"demo": demo}
    return Application(
        [
            (r"/", Home, state),
            (r"/ping", Ping, state),
            (r"/api/name", Name, state),
            (r"/break", Break, state),
            (r"/api/break", Breaking, state),
            (r"/api/break/([a-z]{1,40})", BreakOne, state),
            (r"/chat", Chat, state),
            (r"/chat/socket", ChatSocket, state),
            (r"/live", Live, state),
            (r"/live/numbers", Numbers, state),
            (r"/api/block/(loop|thread)", Block, state),
            (r"/files", Files, state),
            (r"/files/(.*)", Download, state),
            (r"/api/files", FileList, state),
            (r"/api/files/upload", Upload, state),
            (r"/api/files/([0-9a-f]{16})", FileItem, state),
            (r"/tasks", TaskPage, state),
            (r"/api/tasks", TaskList, state),
            (r"/api/tasks/([0-9]{1,9})", TaskItem, state),
            (r"/guestbook", GuestBookPage, state, "guestbook"),
        ],
        profile=PROFILE,
        template_path=str(DIRECTORY / "templates"),
        static_path=str(DIRECTORY / "static"),
        static_handler_class=Assets,
        compress_response=True,
        ui_modules=modules,
        ui_methods={"version": lambda handler: VERSION},
        default_handler_class=NotFound,
        default_handler_args=state,
        # Cookies are good for as long as this process: nobody needs them longer.
        cookie_secret=secrets.token_hex(32),
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"httponly": True, "samesite": "Strict"},
        log_function=demo.meter.count_request,
    )
