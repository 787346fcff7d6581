"""What all handlers of the demo have in common: who is there, what browsers are told, how errors look."""

from __future__ import annotations

import json
from typing import Any

from eyewall.cli.demo.limits import PAGE_SIZE
from eyewall.cli.demo.state import Demo
from eyewall.cli.demo.visitors import COOKIE, Visitor, decode, new_visitor
from eyewall.web import HTTPError, RequestHandler

#: A browser takes scripts, styles, pictures and data from here only, and none of them out of the page itself:
#: should somebody's text ever get into a page as markup, nothing in it would run.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


class DemoHandler(RequestHandler):
    """Base of all handlers here."""

    def initialize(self, demo: Demo) -> None:
        self.demo = demo

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")

    def get_current_user(self) -> Visitor | None:
        return decode(self.get_signed_cookie(COOKIE))

    def remember(self, visitor: Visitor) -> None:
        """Makes `visitor` the one that this browser is from now on."""
        self.set_signed_cookie(COOKIE, visitor.encode(), httponly=True, samesite="Lax")
        self.current_user = visitor

    def number_argument(self, name: str, default: int, most: int) -> int:
        """Returns an argument of the query that is a number from 1 to `most`. Raises HTTPError (400)."""
        text = self.get_query_argument(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
            raise HTTPError(400, reason=f"{name.replace('_', ' ').capitalize()} must be from 1 to {most}")
        return int(text)


class Page(DemoHandler):
    """Base of handlers that answer with a page. Whoever opens one has a name from then on."""

    def prepare(self) -> None:
        if self.current_user is None:
            self.remember(new_visitor())
        self.set_header("Cache-Control", "no-store")

    def get_template_namespace(self) -> dict[str, Any]:
        return {**super().get_template_namespace(), "xsrf_token": self.xsrf_token.decode()}

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.render("error.html", status=status_code, reason=self._reason)


class NotFound(Page):
    """Answers for every address that there is not."""

    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404)


class Problem(HTTPError):
    """What a client of the JSON interface did wrong: a sentence, and one for each field that is wrong."""

    def __init__(self, status: int, message: str, **fields: str) -> None:
        super().__init__(status)
        self.message = message
        self.fields = fields


class JSONHandler(DemoHandler):
    """Base of handlers that take and give JSON, for errors as well."""

    def prepare(self) -> None:
        self.set_header("Cache-Control", "no-store")

    def body(self) -> dict[str, Any]:
        """Returns the request's content, a JSON object. Raises Problem."""
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(415, "The content must be application/json.")
        try:
            body = json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise Problem(400, "The content is not JSON.") from None
        if not isinstance(body, dict):
            raise Problem(400, "The content must be a JSON object.")
        return body

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error: dict[str, Any] = {"status": status_code, "message": f"{self._reason}."}
        cause = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(cause, Problem):
            error["message"] = cause.message
            if cause.fields:
                error["fields"] = cause.fields
        if status_code in (429, 503):
            self.set_header("Retry-After", 1)
        self.finish({"error": error})


def pages(total: int, size: int = PAGE_SIZE) -> int:
    """Returns how many pages so many things fill; the first is there even without any."""
    return max(1, -(-total // size))
