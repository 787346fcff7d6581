"""Limits on form bodies as programs state them. Apart from `forms`, which needs no dataclasses to work by a profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from eyewall.guard.profile import TORNADO, Profile


@dataclass
class ParseMultipartConfig:
    """How `multipart/form-data` is parsed: whether at all, and with which limits (400 beyond them)."""

    enabled: bool = True
    max_parts: int = 100
    #: Bytes of the header of one part.
    max_part_header_size: int = 10 * 1024


@dataclass
class ParseUrlEncodedConfig:
    """How `application/x-www-form-urlencoded` is parsed."""

    #: More are refused (400).
    max_arguments: int = 1000


@dataclass
class ParseBodyConfig:
    """How form bodies are parsed."""

    multipart: ParseMultipartConfig = field(default_factory=ParseMultipartConfig)
    urlencoded: ParseUrlEncodedConfig = field(default_factory=ParseUrlEncodedConfig)


@lru_cache(maxsize=16)
def config_of(profile: Profile) -> ParseBodyConfig:
    """Returns the limits of a profile as parsers of form bodies take them."""
    return ParseBodyConfig(
        ParseMultipartConfig(
            max_parts=profile.multipart_parts, max_part_header_size=profile.multipart_header_bytes
        ),
        ParseUrlEncodedConfig(max_arguments=profile.form_fields),
    )


#: What is used in Tornado's profile where nothing was configured.
TORNADO_BODY_CONFIG = config_of(TORNADO)
