"""The answer to an error in debug mode: a page for browsers, JSON for who asks for that, a traceback for others."""

from __future__ import annotations

import base64
import hashlib
import traceback
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from eyewall.base.loggers import app_log
from eyewall.http.negotiation import parse_qualities
from eyewall.web.debugpage.report import Data, report_on
from eyewall.web.template import Template

_FOLDER = Path(__file__).parent

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def answer(handler: Any, status: int, exc_info: ExcInfo) -> None:
    """Finishes the response of `handler` with what is known of the error."""
    error = exc_info[1]
    kind = wanted(handler.request.headers.get("Accept", ""))
    if kind != "text" and error is not None:
        try:
            report = report_on(handler, status, error)
            page = render(report) if kind == "html" else None
        except Exception:  # noqa: BLE001 - logged; an error that can't be shown in full is shown plainly
            app_log.error("Uncaught exception in the page of an error", exc_info=True)
        else:
            # It is about this moment, and for nobody else's eyes.
            handler.set_header("Cache-Control", "no-store")
            handler.set_header("X-Content-Type-Options", "nosniff")
            if page is None:
                handler.finish(report)
                return
            handler.set_header("Content-Type", "text/html; charset=UTF-8")
            handler.set_header("Content-Security-Policy", _policy())
            handler.set_header("Referrer-Policy", "no-referrer")
            handler.finish(page)
            return
    handler.set_header("Content-Type", "text/plain; charset=UTF-8")
    for line in traceback.format_exception(*exc_info):
        handler.write(line.encode("utf-8", "backslashreplace"))
    handler.finish()


def wanted(accept: str) -> str:
    """Returns which of `html`, `json` and `text` a client would rather have. Who names neither of the first two, as
    programs do, gets text.
    """
    qualities = dict(parse_qualities(accept))
    html = max(qualities.get("text/html", 0.0), qualities.get("application/xhtml+xml", 0.0))
    json = qualities.get("application/json", 0.0)
    if not html and not json:
        return "text"
    return "json" if json > html else "html"


def render(report: Data) -> bytes:
    """Returns the page for a report."""
    return _template().generate(report=report, style=_style(), count=len)


@cache
def _template() -> Template:
    return Template((_FOLDER / "page.html").read_text("utf-8"), "page.html", whitespace="all")


@cache
def _style() -> str:
    return (_FOLDER / "page.css").read_text("utf-8")


@cache
def _policy() -> str:
    """Nothing is loaded and nothing runs, whatever an error has in it; the one style is known by its hash."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
