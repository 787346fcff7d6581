"""An uploaded part, in memory while it is small and in a temporary file once it is not.

The file has no name from the moment it exists (O_TMPFILE where there is that), so that nothing is left behind
by an error, a lost connection or a crash. It is written and read in an executor, never on the loop's thread;
a write is awaited before the next one, which is also what stops a client that sends faster than the disk
takes.

Who holds a part closes it, or lets go of it: a part that nobody refers to any more closes its file.
"""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, BinaryIO, Self, TypeVar

from eyewall.http.errors import DiskFull, SpoolError
from eyewall.http.multipart import PartBegin
from eyewall.net import filethreads

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")

#: Collected before a write once there is a file: a trip to the executor costs more than copying this.
WRITE_BYTES = 256 * 1024
_COPY_BYTES = 1024 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _open_file(directory: str | None) -> io.FileIO:
    # tempfile costs as much to import as all of this layer, and few programs ever spool.
    import tempfile

    # Not buffered: what was not written must not come up as an error when the file is closed.
    file: io.FileIO = tempfile.TemporaryFile(dir=directory, buffering=0, prefix="eyewall-")  # noqa: SIM115
    return file


class SpooledPart:
    """One part of a form. `begin` says what its header said.

    Up to `memory_bytes` are kept in memory. `executor` runs what touches the file (None: the threads of
    `net.filethreads`), `directory` is where it is made (None: where `tempfile` makes them).
    """

    def __init__(
        self,
        begin: PartBegin,
        memory_bytes: int,
        *,
        executor: Executor | None = None,
        directory: str | None = None,
    ) -> None:
        self.name = begin.name
        #: What the client calls the file: show it, never use it as a path.
        self.filename = begin.filename
        self.content_type = begin.content_type
        self.headers = begin.headers
        #: Bytes of content so far.
        self.size = 0
        self._memory_bytes = memory_bytes
        self._executor = executor
        self._directory = directory
        self._chunks: list[bytes] = []
        self._waiting_bytes = 0
        self._file: io.FileIO | None = None
        self._reader: io.BufferedReader | None = None
        # Held by whoever uses the file, which may be a thread that outlives the task that waits for it.
        self._lock = threading.Lock()
        self._writing = False
        self._complete = False
        self._closed = False

    @property
    def on_disk(self) -> bool:
        """Whether the content is in a temporary file."""
        return self._file is not None

    # -- writing ----------------------------------------------------------------------------------------

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Takes the next content. An awaitable is to be awaited before the next call; None means go on.

        The awaitable raises DiskFull (507) or SpoolError (500); nothing of the part is left then.
        """
        self._check()
        self.size += len(data)
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > (self._memory_bytes if self._file is None else WRITE_BYTES):
            return self._spill()
        return None

    def end(self) -> Awaitable[None] | None:
        """Says that the content is complete. What it returns is awaited as that of `write`."""
        self._check()
        self._complete = True
        return self._spill() if self._file is not None and self._chunks else None

    def _check(self, reading: bool = False) -> None:
        if self._closed:
            raise ValueError("the part is closed")
        if self._writing:
            raise RuntimeError("the previous write is to be awaited first")
        if self._complete is not reading:
            raise ValueError("the part is not complete" if reading else "the part is complete")

    async def _spill(self) -> None:
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._waiting_bytes = 0
        self._writing = True
        try:
            await self._run(lambda: self._append(data))
        except BaseException:
            # A write that was cancelled, or went wrong half-way, leaves no content worth keeping.
            self.close()
            raise
        finally:
            self._writing = False

    def _append(self, data: bytes) -> None:
        try:
            with self._lock:
                if self._closed:
                    return
                if self._file is None:
                    self._file = _open_file(self._directory)
                view = memoryview(data)
                while view:
                    view = view[self._file.write(view) :]
        except OSError as error:
            raise _spool_error(error) from error
        finally:
            self._dispose_if_closed()

    async def _run(self, function: Callable[[], T]) -> T:
        return await filethreads.run(self._executor, function)

    # -- reading ----------------------------------------------------------------------------------------

    @property
    def body(self) -> bytes:
        """The content. Reads the file on the calling thread where there is one; `read` does not."""
        self._check(reading=True)
        if self._file is None:
            if len(self._chunks) > 1:
                self._chunks = [b"".join(self._chunks)]
            return self._chunks[0] if self._chunks else b""
        with self._lock:
            try:
                reader = self._rewound()
                return reader.read()
            except OSError as error:
                raise _spool_error(error) from error

    async def read(self) -> bytes:
        """Returns the content. Raises SpoolError where the file cannot be read."""
        return self.body if self._file is None else await self._run(lambda: self.body)

    @property
    def file(self) -> BinaryIO:
        """The content as a file at its beginning, to be used in a thread. It is closed with the part."""
        self._check(reading=True)
        return io.BytesIO(self.body) if self._file is None else self._rewound()

    def _rewound(self) -> io.BufferedReader:
        if self._file is None:
            raise ValueError("the part has no file")
        if self._reader is None:
            self._reader = io.BufferedReader(self._file)
        self._reader.seek(0)
        return self._reader

    async def save_to(self, path: str | os.PathLike[str]) -> None:
        """Writes the content to `path`, replacing what is there, or leaves everything as it was.

        Never make `path` of the filename that the client gave. Raises DiskFull or SpoolError.
        """
        self._check(reading=True)
        await self._run(lambda: self._save(os.fspath(path)))

    def _save(self, path: str) -> None:
        partial = f"{path}.{os.urandom(6).hex()}.part"
        try:
            with open(partial, "xb") as target:
                if self._file is None:
                    target.write(self.body)
                else:
                    with self._lock:
                        source = self._rewound()
                        while chunk := source.read(_COPY_BYTES):
                            target.write(chunk)
            os.replace(partial, path)
        except BaseException as error:
            try:
                os.unlink(partial)
            except FileNotFoundError:
                pass
            if isinstance(error, OSError):
                raise _spool_error(error) from error
            raise

    # -- the end ----------------------------------------------------------------------------------------

    def close(self) -> None:
        """Gives up the content and its file. May be called at any time, and again."""
        self._closed = True
        self._chunks.clear()
        self._dispose_if_closed()

    def _dispose_if_closed(self) -> None:
        # Who holds the lock does this when done: closing a file under another thread's write could hit
        # whatever gets its number next.
        if self._closed and self._file is not None and self._lock.acquire(blocking=False):
            try:
                (self._reader or self._file).close()
            finally:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        # An instance whose constructor failed has nothing to close.
        if "_closed" in self.__dict__:
            self.close()

    def __repr__(self) -> str:
        where = "on disk" if self.on_disk else "in memory"
        return f"<SpooledPart {self.name!r} filename={self.filename!r} {self.size} bytes {where}>"


def _spool_error(error: OSError) -> SpoolError:
    if error.errno in _FULL:
        return DiskFull("no room for an uploaded file")
    return SpoolError(f"temporary file of an upload: {error.strerror or error}")
