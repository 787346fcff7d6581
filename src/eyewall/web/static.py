"""`StaticFileHandler`: files from a directory.

A request goes one of two ways. Where a class has not changed how files are found and read, all of that
happens in a thread of its own (`filelookup`): the path is resolved, checked and opened, a small file read, a
large one left open for the connection to send. Where a class has changed one of those methods, they are
called one after the other, on the loop, as Tornado calls them; only what is still ours touches the disk
elsewhere.

Which methods a class has changed is found out once for each class.
"""

from __future__ import annotations

import datetime
import io
import os
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from eyewall.base.loggers import gen_log
from eyewall.guard.profile import active
from eyewall.http.dates import parse_http_date
from eyewall.http.etags import strong_match
from eyewall.http.exchange import Exchange
from eyewall.http.ranges import RangeNotSatisfiable, content_range, requested_range
from eyewall.net.errors import FileChanged, StreamClosedError
from eyewall.net.files import read_range
from eyewall.net.filethreads import off_loop
from eyewall.web.decorators import starts_like_a_host
from eyewall.web.errors import HTTPError
from eyewall.web.filecache import FileCache, FileEntry
from eyewall.web.filelookup import (
    CHUNK_BYTES,
    Found,
    Versioning,
    Wanted,
    content_type,
    is_settled,
    look_up,
    modified_time,
    pieces,
)
from eyewall.web.handler import RequestHandler
from eyewall.web.staticpaths import Allowed, NeedsSlash, absolute, check_regular, locate, open_regular
from eyewall.web.staticversions import Known, VersionCache, hash_of, stamp_of

if TYPE_CHECKING:
    from eyewall.guard.profile import Profile

_FINDING = ("get_absolute_path", "validate_absolute_path", "get_modified_time", "get_content_size")
_VERSIONS = ("get_content_version", "compute_etag")

_versions = VersionCache()
#: By the identity of the profile, which is kept so that it stays its own.
_caches: dict[int, tuple[Profile, FileCache]] = {}


class StaticFileHandler(RequestHandler):
    """Serves the files below a directory, the keyword argument `path` of the route.

    The route has one group, which is the path of the file. `default_filename` is served for directories whose
    URL ends with a slash; those whose URL does not are redirected. `allowed_symlink_directory`, one or
    several, is where links may lead, instead of the directory itself (403 for anything else).

    GET and HEAD, with conditions and single ranges (RFC 9110 sections 13 and 14). With an argument `v`, as in
    the URLs of `static_url`, a response may be cached for CACHE_MAX_AGE seconds.

    Subclasses may find their content elsewhere: see `get_absolute_path`, `validate_absolute_path`,
    `get_content`, `get_content_size`, `get_modified_time` and `get_content_version`.
    """

    #: Ten years.
    CACHE_MAX_AGE = 86400 * 365 * 10
    #: Versions remembered, for all handlers together.
    MAX_CACHED_VERSIONS = 10000
    #: Bytes of content that are read to make a version; larger files have none, and no entity tag.
    MAX_VERSION_CONTENT_SIZE = 64 * 1024 * 1024

    _static_hashes: ClassVar[dict[str, Known]] = _versions.known
    #: Guards what subclasses remember, as those of Jupyter Server do. Nothing here takes it.
    _lock: ClassVar[threading.Lock] = threading.Lock()
    _finds_itself: ClassVar[bool] = True
    _reads_itself: ClassVar[bool] = True
    _versions_itself: ClassVar[bool] = True

    allowed_symlink_directory: Allowed = None
    default_filename: str | None = None
    modified: datetime.datetime | None = None
    _entry: FileEntry | None = None
    _stat_result: os.stat_result | None = None
    _version: str | None = None
    _version_known = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._finds_itself = not _changed(cls, _FINDING)
        cls._versions_itself = not _changed(cls, _VERSIONS)
        cls._reads_itself = not _changed(cls, ("get_content",))

    def initialize(
        self, path: str, default_filename: str | None = None, allowed_symlink_directory: Allowed = None
    ) -> None:
        self.root = path
        self.default_filename = default_filename
        self.allowed_symlink_directory = allowed_symlink_directory

    @classmethod
    def reset(cls) -> None:
        """Forgets all versions and all files kept in memory."""
        _versions.clear()
        _caches.clear()

    # -- requests ---------------------------------------------------------------------------------------

    async def head(self, path: str) -> None:
        await self.get(path, include_body=False)

    async def get(self, path: str, include_body: bool = True) -> None:
        self.path = self.parse_url_path(path)
        file: io.FileIO | None = None
        if self._finds_itself:
            found = await self._found()
            if found is None:
                return
            self._entry, file = found
            self.absolute_path = self._entry.path
        else:
            validated = self.validate_absolute_path(self.root, self.get_absolute_path(self.root, self.path))
            if validated is None:
                return
            self.absolute_path = validated
        try:
            await self._respond(file, include_body)
        finally:
            if file is not None:
                file.close()

    async def _respond(self, file: io.FileIO | None, include_body: bool) -> None:
        """Answers once the file is known."""
        if self._entry is None:
            await self._learn()
        self.modified = self.get_modified_time()
        self.set_headers()
        if self.should_return_304():
            self.set_status(304)
            return
        size = self.get_content_size()
        try:
            part = requested_range(self._range_header(), size)
        except RangeNotSatisfiable as error:
            self.set_status(416)
            self.set_header("Content-Type", "text/plain")
            self.set_header("Content-Range", error.content_range)
            return
        start, stop = (0, size) if part is None else part
        if part is not None:
            self.set_status(206)
            self.set_header("Content-Range", content_range(start, stop, size))
        if not include_body:
            self.set_header("Content-Length", str(stop - start))
        elif not self._reads_itself:
            self.set_header("Content-Length", str(stop - start))
            await self._send_pieces(
                *((None, None) if part is None else (start, None if stop == size else stop))
            )
        elif self._entry is not None and file is None:
            content = self._entry.content
            if part is not None:
                content = content[start:stop]
            if self._transforms:
                # As in pieces, like all other files: whether it is compressed does not depend on its size.
                self.set_header("Content-Length", str(len(content)))
            self.write(content)
            if self._transforms:
                self.flush()
        else:
            await self._send_file(file, start, stop - start)

    def _range_header(self) -> str | None:
        """The Range field, unless If-Range names another state of the file (RFC 9110 section 13.1.5)."""
        wanted = self.request.find_header(b"range")
        if wanted is None:
            return None
        condition = self.request.find_header(b"if-range")
        if condition is None:
            return wanted
        condition = condition.strip()
        if condition.endswith('"'):
            return wanted if strong_match(condition, self._header("Etag") or "") else None
        return wanted if condition == self._header("Last-Modified") else None

    # -- finding the file -------------------------------------------------------------------------------

    async def _found(self) -> Found | None:
        """Finds the file, in memory or on the disk. Returns None after a redirect."""
        request = self.request
        allowed = self.allowed_symlink_directory
        if allowed is not None and not isinstance(allowed, str):
            allowed = tuple(allowed)
        slash = request.path.endswith("/")
        wanted = Wanted(self.root, self.path, allowed, self.default_filename, slash)
        profile = getattr(self.application, "profile", None) or active()
        kept = _caches.get(id(profile))
        if kept is None:
            kept = profile, FileCache(time.monotonic, profile.static_cache_bytes, profile.static_fresh)
            _caches[id(profile)] = kept
        cache = kept[1]
        key = (wanted, type(self))
        entry = cache.get(key)
        if entry is not None:
            return Found(entry, None)
        small = profile.static_file_bytes if self._reads_itself else -1
        versioning = None
        if self._versions_itself:
            versioning = Versioning(_versions, self.MAX_VERSION_CONTENT_SIZE, self.MAX_CACHED_VERSIONS)
        try:
            found = await off_loop(look_up, wanted, small, versioning)
        except NeedsSlash:
            self._add_slash()
            return None
        if found.file is None and is_settled(found.entry):
            cache.put(key, found.entry)
        return found

    def _add_slash(self) -> None:
        path = self.request.path
        if starts_like_a_host(path):
            raise HTTPError(403, "cannot redirect path with two initial slashes")
        self.redirect(path + "/", permanent=True)

    async def _learn(self) -> None:
        """Asks the disk, off the loop, what the methods that are still ours will want to know."""
        kind = type(self)
        if _changed(kind, ("get_modified_time",)) and _changed(kind, ("get_content_size",)):
            # The content is not in a file.
            return
        self._stat_result = await off_loop(os.stat, self.absolute_path)
        if self._versions_itself:
            self._version = await off_loop(kind._cached_version, self.absolute_path, True)
            self._version_known = True

    def parse_url_path(self, url_path: str) -> str:
        """Returns the path of the file, relative to the root, for `url_path`, the one in the URL."""
        return url_path if os.path.sep == "/" else url_path.replace("/", os.path.sep)

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """Returns the absolute path of `path`, which may be the name of something else than a file.

        Raises HTTPError (403) where it is outside of `root` by its name; where links lead is for
        `validate_absolute_path` to see.
        """
        return absolute(root, path)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Returns the path to serve for `absolute_path`: resolved, within `root`, and a file.

        Raises HTTPError where there is none (403, 404). Returns None after a redirect.
        """
        slash = self.request.path.endswith("/")
        allowed = self.allowed_symlink_directory
        try:
            return locate(root, absolute_path, self.path, allowed, self.default_filename, slash)
        except NeedsSlash:
            self._add_slash()
            return None

    # -- what is known of it ----------------------------------------------------------------------------

    def _stat(self) -> os.stat_result:
        if self._stat_result is None:
            self._stat_result = os.stat(self.absolute_path)
        return self._stat_result

    def get_content_size(self) -> int:
        """Returns the size of the content in bytes."""
        return self._stat().st_size if self._entry is None else self._entry.size

    def get_modified_time(self) -> datetime.datetime | None:
        """Returns when the content last changed, in UTC and whole seconds; None if that is not known."""
        return modified_time(self._stat()) if self._entry is None else self._entry.modified

    def get_content_type(self) -> str:
        """Returns the value of the Content-Type field, from the name of the file."""
        return content_type(self.absolute_path) if self._entry is None else self._entry.content_type

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        """Returns a version of the content at `abspath`: its SHA-512. Reads all of it, and blocks.

        Raises HTTPError for what is not a file, or larger than MAX_VERSION_CONTENT_SIZE.
        """
        file, status = open_regular(abspath, abspath)
        with file:
            if status.st_size > cls.MAX_VERSION_CONTENT_SIZE:
                raise HTTPError(403, "%s is larger than %d bytes", abspath, cls.MAX_VERSION_CONTENT_SIZE)
            return hash_of(file)

    @classmethod
    def _cached_version(cls, abspath: str, quiet: bool = False) -> str | None:
        """The version of a resolved path, None where it can't be had, which is logged unless `quiet`."""

        def compute() -> str | None:
            try:
                return cls.get_content_version(abspath)
            except (HTTPError, OSError) as error:
                if not quiet:
                    gen_log.error("Could not open static file %r: %s", abspath, error)
                return None

        try:
            stamp = stamp_of(os.stat(abspath))
        except (OSError, ValueError):
            return compute()
        return _versions.find(abspath, stamp, cls.MAX_CACHED_VERSIONS, compute)

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        """Returns the version of the file `path` below the setting `static_path`; None for one that has none.
        `settings` are those of an application.

        Reads the file unless its version is known. Raises HTTPError (403) for a path outside of the root.
        """
        root = settings["static_path"]
        abspath = cls.get_absolute_path(root, path)
        allowed = (settings.get("static_handler_args") or {}).get("allowed_symlink_directory")
        try:
            check_regular(abspath, abspath)
            # Where a class finds its files itself, what its root is, is its own affair.
            real = locate(root, abspath, abspath, allowed, None, True) if cls._finds_itself else abspath
        except HTTPError as error:
            gen_log.error("Could not open static file %r: %s", abspath, error)
            return None
        return cls._cached_version(real)

    @classmethod
    def make_static_url(cls, settings: dict[str, Any], path: str, include_version: bool = True) -> str:
        """Returns the URL of the file `path` below the setting `static_path`, with its version unless
        `include_version` is false.

        The `settings` may be no more than `static_path` and `static_url_prefix`.
        """
        url: str = settings.get("static_url_prefix", "/static/") + path
        version = cls.get_version(settings, path) if include_version else None
        return f"{url}?v={version}" if version else url

    # -- the head of the response -----------------------------------------------------------------------

    def compute_etag(self) -> str | None:
        """Returns the version of the file as an entity tag; None for none."""
        if self._entry is not None and self._versions_itself:
            version = self._entry.version
        elif self._version_known:
            version = self._version
        else:
            # A response without a tag is good enough where its file has no version.
            version = self._cached_version(self.absolute_path, True)
        return f'"{version}"' if version else None

    def set_headers(self) -> None:
        """Sets the fields that describe the file, and how long it may be cached."""
        self.set_header("Accept-Ranges", "bytes")
        self.set_etag_header()
        if self.modified is not None:
            entry = self._entry
            known = entry is not None and self.modified is entry.modified
            self.set_header(
                "Last-Modified", entry.last_modified if entry is not None and known else self.modified
            )
        mime_type = self.get_content_type()
        if mime_type:
            self.set_header("Content-Type", mime_type)
        seconds = self.get_cache_time(self.path, self.modified, mime_type)
        if seconds > 0:
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
            self.set_header("Expires", expires)
            self.set_header("Cache-Control", f"max-age={seconds}")
        self.set_extra_headers(self.path)

    def set_extra_headers(self, path: str) -> None:
        """Override it to set more fields."""

    def get_cache_time(self, path: str, modified: datetime.datetime | None, mime_type: str) -> int:
        """Returns for how many seconds the response may be cached without asking again; 0 says nothing of it.

        Override it to decide by the file's `path`, when it was last `modified`, or its `mime_type`. By default
        it is `CACHE_MAX_AGE` for a URL with a version (`v`), and 0 for others.
        """
        request = self.request
        return self.CACHE_MAX_AGE if request.query and "v" in request.query_arguments else 0

    def should_return_304(self) -> bool:
        """Tells whether the client has the file already (RFC 9110 section 13.2.2): by its tag, else by its
        time."""
        find = self.request.find_header
        if find(b"if-none-match"):
            return self.check_etag_header()
        since = find(b"if-modified-since")
        if since is None or self.modified is None:
            return False
        seconds = parse_http_date(since)
        modified: float = self.modified.timestamp()
        return seconds is not None and modified <= seconds

    # -- the content ------------------------------------------------------------------------------------

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> bytes | Iterable[bytes]:
        """Returns the content at `abspath`, from `start` up to, not including, `end`.

        An override may return bytes, or anything that yields some; it is asked for more when the client has
        taken what it got. This one reads the file, and blocks.
        """
        return pieces(abspath, start or 0, end)

    async def _send_pieces(self, start: int | None, stop: int | None) -> None:
        """Sends what a class's own `get_content` gives, piece by piece."""
        content = self.get_content(self.absolute_path, start, stop)
        for piece in [content] if isinstance(content, bytes) else content:
            self.write(piece)
            try:
                await self.flush()
            except StreamClosedError:
                return

    async def _send_file(self, file: io.FileIO | None, start: int, count: int) -> None:
        """Sends a part of an open file."""
        if file is None:
            opened, _ = await off_loop(open_regular, self.absolute_path, self.path)
            with opened:
                await self._send_file(opened, start, count)
            return
        self.set_header("Content-Length", str(count))
        connection = self.request.connection
        whole = type(connection) is Exchange and not self._transforms
        try:
            if whole:
                self.flush()
                await connection.send_file(file, start, count)
            else:
                await self._send_chunks(file, start, count)
        except StreamClosedError:
            # The client has left; there is nobody to tell.
            return
        except OSError as error:
            gen_log.error("Static file %r failed while it was sent: %s", self.absolute_path, error)
            if not whole:
                raise
            # The exchange has broken the connection off already.
            return

    async def _send_chunks(self, file: io.FileIO, start: int, count: int) -> None:
        """Sends a part of a file through the transforms, or over a connection that can't take files."""
        stop = start + count
        while start < stop:
            count = min(CHUNK_BYTES, stop - start)
            chunk = await read_range(file.fileno(), start, count)
            if not chunk:
                raise FileChanged(stop - start)
            start += len(chunk)
            self.write(chunk)
            await self.flush()


def _changed(cls: type, names: Sequence[str]) -> bool:
    """Whether `cls` has one of these methods from somebody else."""
    for name in names:
        method = getattr(cls, name)
        if getattr(method, "__func__", method) is not _own[name]:
            return True
    return False


def _own_method(name: str) -> Any:
    method = getattr(StaticFileHandler, name)
    return getattr(method, "__func__", method)


_own = {name: _own_method(name) for name in (*_FINDING, *_VERSIONS, "get_content")}
