"""Forms with files, taken while they arrive: large files go to disk, and memory stays bounded.

    class Photos(UploadHandler):
        MAX_BODY_BYTES = 2 * 1024**3

        async def post(self):
            form = await self.form()
            for photo in form.files.get("photo", []):
                await photo.save_to(...)

What arrives is parsed by `http.upload`; this puts it into the life of a handler. A token against forged
requests (`xsrf_cookies`) is checked before the body is there, so it has to come in a header or in the query.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from eyewall.guard.profile import active
from eyewall.http.upload import MultipartReceiver
from eyewall.web.decorators import stream_request_body
from eyewall.web.handler import RequestHandler

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@stream_request_body
class UploadHandler(RequestHandler):
    """Base of handlers that take multipart/form-data; overrides of its methods call those here.

    Other media types are refused (415), as are forms beyond the limits of the profile (400, 413).
    """

    #: The most content a request may have, in bytes; None for the profile's `body_bytes`.
    MAX_BODY_BYTES: int | None = None
    #: Where large files are kept; None for the system's directory for temporary files.
    UPLOAD_DIRECTORY: str | None = None

    _receiver: MultipartReceiver | None = None

    def prepare(self) -> Awaitable[None] | None:
        """Gets ready for the body. An override may finish the response, and nothing is read any more."""
        request = self.request
        if request.method in _WITH_BODY:
            profile = getattr(self.application, "profile", None) or active()
            self._receiver = MultipartReceiver(
                request.headers.get("Content-Type", ""), profile, directory=self.UPLOAD_DIRECTORY
            )
            if self.MAX_BODY_BYTES is not None:
                request.connection.set_max_body_size(self.MAX_BODY_BYTES)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Takes the next piece of the body, `chunk`, and reports it to `on_progress`."""
        receiver = self._receiver
        if receiver is None:
            return None
        waiting = receiver.feed(chunk)
        self.on_progress(receiver.received)
        return waiting

    def on_progress(self, received: int) -> None:
        """Override it to hear how many bytes of the body have come, all together: `received`. Content-Length
        may say of how many.
        """

    async def form(self) -> MultipartReceiver:
        """Returns the form: its `arguments`, `files` and `parts`. For the verb, when the body is there.

        `get_body_argument` and its kin know the form's fields from then on. Raises HTTPInputError (400) for a
        form that is not complete, RuntimeError for a request without one.
        """
        receiver = self._receiver
        if receiver is None:
            raise RuntimeError(f"a {self.request.method} request has no form")
        await receiver.finish()
        request: Any = self.request
        request.body_arguments = receiver.arguments
        merged = {name: list(values) for name, values in request.query_arguments.items()}
        for name, values in receiver.arguments.items():
            merged.setdefault(name, []).extend(values)
        request.arguments = merged
        return receiver

    def on_finish(self) -> None:
        """Lets go of what was uploaded and not saved."""
        self._drop()

    def on_connection_close(self) -> None:
        """The client left in the middle: so does what it has sent."""
        self._drop()

    def _drop(self) -> None:
        receiver = self._receiver
        if receiver is not None:
            self._receiver = None
            receiver.close()
