"""Files: taken while they arrive, listed, given back, removed."""

from __future__ import annotations

from typing import Any

from eyewall.base.escape import url_escape
from eyewall.cli.demo.handlers.base import DemoHandler, JSONHandler, Page, Problem
from eyewall.cli.demo.limits import PROFILE, SHELF_BYTES, UPLOAD_BYTES
from eyewall.cli.demo.shelf import Item, ShelfFull
from eyewall.cli.demo.state import Demo
from eyewall.web import HTTPError, StaticFileHandler, UploadHandler

#: A form takes more room than the file in it: its boundaries and headers.
_FORM_BYTES = PROFILE.multipart_header_bytes * 2


class Files(Page):
    """The page."""

    def get(self) -> None:
        self.render("files.html", most=UPLOAD_BYTES, room=SHELF_BYTES)


class FileList(JSONHandler):
    """What is on the shelf."""

    def get(self) -> None:
        shelf = self.demo.shelf
        self.write(
            {"files": [_described(item) for item in shelf.items], "used": shelf.used, "room": SHELF_BYTES}
        )


class Upload(JSONHandler, UploadHandler):
    """Takes one file, as a form with a part named `file`.

    It is parsed piece by piece as it comes, and written to the disk in a thread; reading waits for that. The
    token against forged requests has to be in a header: it is looked at before the form is there.
    """

    MAX_BODY_BYTES = UPLOAD_BYTES + _FORM_BYTES

    _promised = 0

    def initialize(self, demo: Demo) -> None:
        super().initialize(demo)
        # Removed with everything else, whatever happens.
        self.UPLOAD_DIRECTORY = str(demo.shelf.spool)

    def prepare(self) -> None:
        JSONHandler.prepare(self)
        length = self.request.headers.get("Content-Length")
        # Without a length it is as long as it may be, until it is there.
        size = int(length) if length is not None else self.MAX_BODY_BYTES
        if size > self.MAX_BODY_BYTES:
            raise Problem(413, f"A file may have {UPLOAD_BYTES >> 20} MiB.")
        try:
            self.demo.shelf.promise(size)
        except ShelfFull:
            raise Problem(507, "There is no room for more files. Remove one first.") from None
        self._promised = size
        UploadHandler.prepare(self)

    async def post(self) -> None:
        form = await self.form()
        parts = form.files.get("file", [])
        if len(form.parts) != 1 or len(parts) != 1:
            raise Problem(400, "The form must have one file, named file.")
        visitor = self.current_user
        item = await self.demo.shelf.put(parts[0], visitor.name if visitor else "")
        self.set_status(201)
        self.set_header("Location", f"/api/files/{item.id}")
        self.write(_described(item))

    def on_finish(self) -> None:
        super().on_finish()
        self._release()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._release()

    def _release(self) -> None:
        if self._promised:
            self.demo.shelf.release(self._promised)
            self._promised = 0


class FileItem(JSONHandler):
    """One file on the shelf."""

    async def delete(self, id: str) -> None:
        if not await self.demo.shelf.remove(id):
            raise Problem(404, "There is no such file.")
        self.set_status(204)


class Download(DemoHandler, StaticFileHandler):
    """Gives a file back: with ranges, conditions, and from the kernel to the socket where it is large.

    It is somebody's file and may be a page with scripts. A browser saves it instead of showing it, and would
    run nothing in it.
    """

    def initialize(self, demo: Demo) -> None:  # type: ignore[override]
        DemoHandler.initialize(self, demo)
        StaticFileHandler.initialize(self, path=str(demo.shelf.directory))

    def prepare(self) -> None:
        # What is not on the shelf is not there, even if the disk has it.
        if self.demo.shelf.find(self.path_args[0]) is None:
            raise HTTPError(404)

    def set_extra_headers(self, path: str) -> None:
        item = self.demo.shelf.find(path)
        assert item is not None
        # RFC 6266 section 4.3: a name in any script, percent-encoded.
        name = url_escape(item.name, plus=False)
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        self.set_header("Cache-Control", "private, no-cache")


def _described(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "size": item.size,
        "owner": item.owner,
        "created": round(item.created * 1000),
        "url": f"/files/{item.id}",
    }
