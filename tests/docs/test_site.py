"""The documentation as a site: it builds without a warning, is whole, and asks nobody else for anything."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from docs.site import navigating
from docs.site.linking import DeadLink, Links
from docs.site.publicnames import everything

from . import built
from .pages import GENERATED, ROOT, pages

pytestmark = [pytest.mark.one_build, pytest.mark.timeout(600)]

#: Of tests that want the site, which one of them builds.
late = pytest.mark.late


@pytest.fixture(scope="module")
def site_pages(site: Path) -> dict[Path, built.Page]:
    return built.read(site)


@pytest.mark.long
def test_every_page_is_in_it(site: Path) -> None:
    moved = {"CONTRIBUTING.md": "contributing", "CHANGELOG.md": "changelog", "README.md": "index"}
    for page in {*pages(), *GENERATED}:
        name = page.relative_to(ROOT).as_posix()
        place = moved.get(name, name.removeprefix("docs/").removesuffix(".md"))
        assert (site / f"{place}.html").is_file(), name


@late
def test_links_lead_somewhere(site: Path, site_pages: dict[Path, built.Page]) -> None:
    dead = []
    for path, page in site_pages.items():
        for link in page.links:
            if re.match("(https|mailto):", link):
                continue
            target, _, anchor = link.partition("#")
            to = (path.parent / unquote(target)).resolve() if target else path
            if not to.is_file() or (
                anchor and to.suffix == ".html" and unquote(anchor) not in site_pages[to].ids
            ):
                dead.append(f"{path.relative_to(site)}: {link}")
    assert not dead, "\n".join(dead)


@late
def test_nothing_is_asked_of_others(site: Path, site_pages: dict[Path, built.Page]) -> None:
    for path, page in site_pages.items():
        for each in page.loaded:
            assert not re.match("([a-z]+:)?//", each), f"{path.relative_to(site)} loads {each}"
    for sheet in site.rglob("*.css"):
        for each in re.findall(r"url\(([^)]*)\)|@import ([^;]*)", sheet.read_text("utf-8")):
            assert not re.search("//", "".join(each)) or "data:" in "".join(each), f"{sheet.name}: {each}"


@late
def test_it_can_be_searched(site: Path) -> None:
    index = (site / "searchindex.js").read_text("utf-8")
    assert '"websocket_connect"' in index or "websocket_connect" in index
    assert (site / "search.html").is_file()


@late
def test_every_public_name_is_in_the_reference(site_pages: dict[Path, built.Page]) -> None:
    told = {each for path, page in site_pages.items() if path.parent.name == "reference" for each in page.ids}
    assert not set(everything()) - told


@late
def test_every_command_is_in_the_reference(site: Path) -> None:
    from docs.site.commandline import commands

    from eyewall.cli import main

    told = re.sub("<[^>]*>", "", (site / "reference" / "commands.html").read_text("utf-8"))
    found = commands(main)
    assert {"eyewall run", "eyewall doctor run", "eyewall check"} <= set(found)
    for command in found:
        assert re.search(rf"^ *{command}#$", told, re.M), command


# -- how it is put together ---------------------------------------------------------------------------------


def test_a_page_that_stands_nowhere_is_an_error() -> None:
    known = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    known += ["contributing.md", "changelog.md"]
    navigating.contents(known)
    with pytest.raises(navigating.Unplaced, match=r"lost/page\.md"):
        navigating.contents([*known, "lost/page.md"])


def test_pages_of_a_folder_stand_beneath_its_own() -> None:
    known = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    known += ["contributing.md", "changelog.md", "howto/index.md", "howto/zz-first.md", "howto/zz-second.md"]
    found = navigating.contents(known)
    assert found["howto/index.md"][0][1][-2:] == ["howto/zz-first.md", "howto/zz-second.md"]
    assert "howto/index.md" in [page for _, tops in found["index.md"] for page in tops]


def test_links_out_of_the_documentation_are_rewritten() -> None:
    links = Links()
    page = ROOT / "docs" / "guard" / "limits.md"
    text = "[a](../web.md#x) [b](../../CHANGELOG.md) [c](../../examples/hello.py) [d](https://example.com/)\n"
    wanted = (
        "[a](../web.md#x) [b](../changelog.md) [c](../files/examples/hello.py.md) [d](https://example.com/)\n"
    )
    assert links.rewritten(text, page, "guard/limits.md") == wanted
    code = "```text\n[e](nowhere.md)\n```\n"
    assert links.rewritten(code, page, "guard/limits.md") == code
    [(place, shown)] = links.pages()
    assert place == "files/examples/hello.py.md"
    assert "examples/hello.py\n:language: python" in shown
    with pytest.raises(DeadLink, match=r"docs/guard/limits\.md: nowhere\.md"):
        links.rewritten("[f](nowhere.md)", page, "guard/limits.md")
