"""Receiving a multipart/form-data body while it arrives, large files on disk.

In a handler that takes its body as a stream::

    def prepare(self):
        self.upload = MultipartReceiver(self.request.headers["Content-Type"])

    def data_received(self, chunk):
        return self.upload.feed(chunk)

    async def post(self):
        await self.upload.finish()
        for part in self.upload.files["photo"]:
            await part.save_to(...)

    def on_finish(self):
        self.upload.close()
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import TYPE_CHECKING, Self

from eyewall.guard.profile import Profile, active
from eyewall.http.errors import FieldTooLarge, RemoteProtocolError, quoted
from eyewall.http.forms import boundary_of
from eyewall.http.multipart import Event, MultipartEngine, PartBegin, PartData, PartEnd
from eyewall.http.spool import SpooledPart

if TYPE_CHECKING:
    from concurrent.futures import Executor


class MultipartReceiver:
    """Takes one multipart/form-data body and keeps its parts.

    `content_type` is that of the request. Limits are those of `profile` (None: the active one): a part with a
    filename is spooled to a file beyond `multipart_memory_bytes`, one without is refused (413). `executor`
    and `directory` are for the files, as `SpooledPart` takes them.

    Raises HTTPInputError where the media type is another (415), or has no proper boundary (400).
    """

    def __init__(
        self,
        content_type: str,
        profile: Profile | None = None,
        *,
        executor: Executor | None = None,
        directory: str | None = None,
    ) -> None:
        profile = profile or active()
        if content_type.partition(";")[0].strip(" \t").lower() != "multipart/form-data":
            raise RemoteProtocolError(415, f"not multipart/form-data: {quoted(content_type)}")
        self._engine = MultipartEngine(
            boundary_of(content_type),
            max_parts=profile.multipart_parts,
            max_header_bytes=profile.multipart_header_bytes,
            bare_start=profile.multipart_bare_start,
        )
        self._memory_bytes = profile.multipart_memory_bytes
        self._executor = executor
        self._directory = directory
        self._current: SpooledPart | None = None
        #: Bytes of the body so far.
        self.received = 0
        #: The complete parts, in order.
        self.parts: list[SpooledPart] = []
        #: Values of the parts without a filename, by name.
        self.arguments: dict[str, list[bytes]] = {}
        #: The parts with a filename, by name.
        self.files: dict[str, list[SpooledPart]] = {}

    def feed(self, chunk: bytes) -> Awaitable[None] | None:
        """Takes the next bytes of the body, `chunk`. An awaitable is to be awaited before the next call.

        Raises HTTPInputError for a malformed body or one beyond a limit, and DiskFull (507) or SpoolError (500)
        from the awaitable; the parts are closed then.
        """
        self.received += len(chunk)
        try:
            return self._take(iter(self._engine.feed(chunk)))
        except BaseException:
            self.close()
            raise

    async def finish(self) -> None:
        """Says that the body is over. Raises what `feed` raises."""
        try:
            waiting = self._take(iter(self._engine.finish()))
        except BaseException:
            self.close()
            raise
        if waiting is not None:
            await waiting

    def _take(self, events: Iterator[Event]) -> Awaitable[None] | None:
        for event in events:
            waiting = self._handle(event)
            if waiting is not None:
                return self._resume(waiting, events)
        return None

    async def _resume(self, waiting: Awaitable[None] | None, events: Iterator[Event]) -> None:
        try:
            while waiting is not None:
                await waiting
                waiting = None
                for event in events:
                    waiting = self._handle(event)
                    if waiting is not None:
                        break
        except BaseException:
            self.close()
            raise

    def _handle(self, event: Event) -> Awaitable[None] | None:
        part = self._current
        if isinstance(event, PartBegin):
            self._current = SpooledPart(
                event, self._memory_bytes, executor=self._executor, directory=self._directory
            )
        elif part is None:
            return None
        elif isinstance(event, PartData):
            if not part.filename and part.size + len(event.data) > self._memory_bytes:
                raise FieldTooLarge(self._memory_bytes)
            return part.write(event.data)
        elif isinstance(event, PartEnd):
            self._current = None
            waiting = part.end()
            self.parts.append(part)
            if part.filename:
                self.files.setdefault(part.name, []).append(part)
            else:
                self.arguments.setdefault(part.name, []).append(part.body)
            return waiting
        return None

    def close(self) -> None:
        """Closes every part, complete or not, with its file. May be called again."""
        if self._current is not None:
            self._current.close()
        for part in self.parts:
            part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
