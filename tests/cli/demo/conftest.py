from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eyewall.web.locale import load_translations

from .site import Site, Visitor


@pytest.fixture
def site(event_loop_kind: str, tmp_path: Path) -> Iterator[Site]:
    directory = tmp_path / "demo"
    directory.mkdir()
    empty = tmp_path / "empty"
    empty.mkdir()
    site = Site(event_loop_kind, directory)
    try:
        yield site
    finally:
        site.close()
        # Translations are the process's.
        load_translations(str(empty))


@pytest.fixture
def visitor(site: Site) -> Visitor:
    return Visitor(site).arrive()
