"""Form bodies as dictionaries: `application/x-www-form-urlencoded` and `multipart/form-data`, in memory.

`eyewall.http.upload` takes a multipart body while it arrives, and keeps large parts on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall.base.objects import ObjectDict
from eyewall.base.query import TooManyFields as _TooManyFields
from eyewall.base.query import parse_arguments
from eyewall.guard.profile import active
from eyewall.http.errors import HTTPInputError, MalformedBody, TooManyFields, quoted
from eyewall.http.headers import HTTPHeaders
from eyewall.http.multipart import MultipartEngine, PartBegin, PartData, PartEnd
from eyewall.http.parameters import parse_parameters

if TYPE_CHECKING:
    from eyewall.http.formconfig import ParseBodyConfig, ParseMultipartConfig


class HTTPFile(ObjectDict):
    """An uploaded file, as items and as attributes.

    `filename` is what the client calls it: show it, never use it as a path. `content_type` is the client's
    word as well.
    """

    filename: str
    body: bytes
    content_type: str


_configured: ParseBodyConfig | None = None


def set_parse_body_config(config: ParseBodyConfig) -> None:
    """Sets what the functions below do where they are given no `config`; otherwise the profile says it."""
    global _configured
    _configured = config


def _field_limit(config: ParseBodyConfig | None) -> int:
    chosen = config or _configured
    return active().form_fields if chosen is None else chosen.urlencoded.max_arguments


def parse_body_arguments(
    content_type: str,
    body: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    headers: HTTPHeaders | None = None,
    *,
    config: ParseBodyConfig | None = None,
) -> None:
    """Adds the fields of a form body to `arguments` and its files to `files`; other media types add nothing.

    Raises HTTPInputError for a malformed body, one beyond a limit, or one that `headers` say is compressed;
    the dictionaries are then as they were.
    """
    media_type, _, _ = content_type.partition(";")
    media_type = media_type.strip(" \t").lower()
    if media_type == "application/x-www-form-urlencoded":
        _refuse_encoded(headers)
        limit = _field_limit(config)
        if limit <= 0 and body:
            raise TooManyFields(limit)
        try:
            found = parse_arguments(body, limit, keep_blank=True)
        except _TooManyFields:
            raise TooManyFields(limit) from None
        for name, values in found.items():
            arguments.setdefault(name, []).extend(values)
    elif media_type == "multipart/form-data":
        _refuse_encoded(headers)
        multipart = None if config is None else config.multipart
        parse_multipart_form_data(boundary_of(content_type), body, arguments, files, config=multipart)


def _refuse_encoded(headers: HTTPHeaders | None) -> None:
    coding = headers.get("Content-Encoding") if headers is not None else None
    if coding:
        # Decompressed bodies do not say so any more: who gets here would parse compressed bytes.
        raise MalformedBody(f"Unsupported Content-Encoding: {quoted(coding)}")


def boundary_of(content_type: str) -> bytes:
    """Returns the boundary that a `multipart/...` Content-Type names. Raises HTTPInputError without one."""
    boundary = parse_parameters(content_type)[1].get("boundary")
    if not boundary:
        raise MalformedBody("Invalid multipart/form-data: multipart boundary not found")
    return boundary.encode("utf-8", "surrogatepass")


def parse_multipart_form_data(
    boundary: bytes,
    data: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    *,
    config: ParseMultipartConfig | None = None,
) -> None:
    """Adds the parts of a `multipart/form-data` body to `arguments`, those with a filename to `files`.

    Raises HTTPInputError for a malformed body or one beyond a limit; the dictionaries are then as they were.
    """
    profile = active()
    max_parts, max_header_bytes = profile.multipart_parts, profile.multipart_header_bytes
    if config is None and _configured is not None:
        config = _configured.multipart
    if config is not None:
        if not config.enabled:
            raise HTTPInputError("multipart/form-data parsing is disabled")
        max_parts, max_header_bytes = config.max_parts, config.max_part_header_size
    if len(boundary) >= 2 and boundary[:1] == boundary[-1:] == b'"':
        # Some clients put quotes around it that a parser of parameters does not know.
        boundary = boundary[1:-1]
    engine = MultipartEngine(
        boundary,
        max_parts=max_parts,
        max_header_bytes=max_header_bytes,
        bare_start=profile.multipart_bare_start,
    )
    parts: list[tuple[PartBegin, bytes]] = []
    part: PartBegin | None = None
    content = b""
    for event in [*engine.feed(data), *engine.finish()]:
        if isinstance(event, PartBegin):
            part, content = event, b""
        elif isinstance(event, PartData):
            # One feed hands the content of a part out whole.
            content = event.data
        elif isinstance(event, PartEnd) and part is not None:
            parts.append((part, content))
    for part, content in parts:
        if part.filename:
            upload = HTTPFile(
                filename=part.filename, body=content, content_type=part.content_type or "application/unknown"
            )
            files.setdefault(part.name, []).append(upload)
        else:
            arguments.setdefault(part.name, []).append(content)
