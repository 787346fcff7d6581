"""Finding a static file and reading what there is to know of it. All of it blocks: it is for
`filethreads`."""

from __future__ import annotations

import datetime
import io
import mimetypes
import os
import time
from collections.abc import Generator
from typing import NamedTuple

from eyewall.http.dates import format_timestamp
from eyewall.web.filecache import SETTLED_SECONDS, FileEntry
from eyewall.web.staticpaths import Allowed, absolute, locate, open_regular
from eyewall.web.staticversions import VersionCache, hash_of, hash_of_bytes, stamp_of

#: Bytes of a file that are read at once where the connection can't take the file itself.
CHUNK_BYTES = 64 * 1024


class Wanted(NamedTuple):
    """What file a request is for: see `staticpaths.locate`."""

    root: str
    path: str
    allowed: Allowed
    default_filename: str | None
    slash: bool


class Versioning(NamedTuple):
    """How versions are made: of files up to `most_bytes`, remembering `most_known` in `cache`."""

    cache: VersionCache
    most_bytes: int
    most_known: int


class Found(NamedTuple):
    """A file: what is known of it, and the open file unless its content is in the entry."""

    entry: FileEntry
    file: io.FileIO | None


def look_up(wanted: Wanted, small: int, versioning: Versioning | None) -> Found:
    """Finds, checks and opens a file, and reads it if it has at most `small` bytes.

    It gets a version according to `versioning`. Raises HTTPError (403, 404, 503), and NeedsSlash.
    """
    path = absolute(wanted.root, wanted.path)
    real = locate(wanted.root, path, wanted.path, wanted.allowed, wanted.default_filename, wanted.slash)
    file, status = open_regular(real, wanted.path)
    kept = False
    try:
        content = _all_of(file, status.st_size) if status.st_size <= small else None
        size = status.st_size if content is None else len(content)
        version = None
        if versioning is not None and size <= versioning.most_bytes:
            version = versioning.cache.find(
                real,
                stamp_of(status),
                versioning.most_known,
                lambda: hash_of(file) if content is None else hash_of_bytes(content),
            )
        modified = modified_time(status)
        entry = FileEntry(
            real, size, modified, format_timestamp(modified), content_type(real), version, content or b""
        )
        kept = content is None
        return Found(entry, file if kept else None)
    finally:
        if not kept:
            file.close()


def pieces(path: str, start: int, end: int | None) -> Generator[bytes, None, None]:
    """Yields the content of a file from `start` up to `end`, or to its own end."""
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        at = start
        while end is None or at < end:
            chunk = file.read(CHUNK_BYTES if end is None else min(CHUNK_BYTES, end - at))
            if not chunk:
                return
            at += len(chunk)
            yield chunk


def _all_of(file: io.FileIO, size: int) -> bytes:
    """The content of a file that had `size` bytes; as much of it as there is now."""
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def is_settled(entry: FileEntry) -> bool:
    """Whether a file has not changed for a while, so that it is worth keeping."""
    return time.time() - entry.modified.timestamp() > SETTLED_SECONDS


def modified_time(status: os.stat_result) -> datetime.datetime:
    """Returns when a file last changed, in UTC and whole seconds, as HTTP has it."""
    return datetime.datetime.fromtimestamp(int(status.st_mtime), datetime.UTC)


def content_type(path: str) -> str:
    """Returns the media type that the name of a file tells of."""
    mime, encoding = mimetypes.guess_type(path)
    if encoding == "gzip":
        # It is the file itself that is a gzip file, and it must not be unpacked on the way (RFC 6713).
        return "application/gzip"
    if encoding is not None or mime is None:
        return "application/octet-stream"
    return mime
