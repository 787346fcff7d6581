"""The guest book: a page from a template, a form, and no script at all."""

from __future__ import annotations

from eyewall.cli.demo.handlers.base import Page, pages
from eyewall.cli.demo.limits import ENTRIES, ENTRY_CHARS, NAME_CHARS, PAGE_SIZE
from eyewall.cli.demo.visitors import Visitor, name_problem, tidy
from eyewall.web.locale import Locale, get


class GuestBookPage(Page):
    """Shows the entries, and takes new ones.

    The page is in the language of the reader, which `self.locale` knows from what the browser says.
    """

    async def get(self) -> None:
        await self._show({}, "")

    async def post(self) -> None:
        name = tidy(self.get_body_argument("name", ""))
        message = self.get_body_argument("message", "").replace("\r\n", "\n").strip()
        problems = {}
        problem = name_problem(name)
        if problem is not None:
            problems["name"] = problem
        if not message:
            problems["message"] = "Please write something."
        elif len(message) > ENTRY_CHARS:
            problems["message"] = f"An entry may have {ENTRY_CHARS} characters."
        self.remember(Visitor(self.current_user.id, name[:NAME_CHARS] or self.current_user.name))
        if problems:
            self.set_status(400)
            await self._show(problems, message)
            return
        await self.demo.guestbook.add(name, message)
        # To be read, not sent again: what a reload repeats is the GET that follows.
        self.redirect(self.reverse_url("guestbook") + self._language(), status=303)

    def get_user_locale(self) -> Locale | None:
        chosen = self.get_query_argument("lang", "")
        return get(chosen) if chosen else None

    def _language(self) -> str:
        """Returns the query that keeps the language somebody has chosen."""
        chosen = self.get_query_argument("lang", "")
        return f"?lang={self.locale.code}" if chosen else ""

    async def _show(self, problems: dict[str, str], message: str) -> None:
        number = self.number_argument("page", 1, ENTRIES)
        entries, total = await self.demo.guestbook.page(number, PAGE_SIZE)
        self.set_header("Vary", "Accept-Language, Cookie")
        self.set_header("Content-Language", self.locale.code.replace("_", "-"))
        self.render(
            "guestbook.html",
            entries=entries,
            page=number,
            pages=pages(total),
            total=total,
            problems=problems,
            message=message,
            longest=ENTRY_CHARS,
            longest_name=NAME_CHARS,
            offset=self._minutes_behind(),
            language=self._language(),
        )

    def _minutes_behind(self) -> int:
        """Returns how far the reader's clock is behind UTC, in minutes, as the page's script has put it."""
        text = self.get_cookie("timezone") or ""
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
            return 0
        return int(text)
