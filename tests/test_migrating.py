"""The shop of `docs/migrating/aiohttp.md`: written for aiohttp and for Eyewall, both answer the same."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eyewall.client import websocket_connect
from tests.test_examples import PATIENCE, ROOT, Site, program, served

pytestmark = pytest.mark.one_build

FOLDER = ROOT / "examples" / "migrating"


@contextmanager
def before() -> Iterator[Site]:
    with program("migrating/before.py", "0") as (site, _):
        yield site


@contextmanager
def after() -> Iterator[Site]:
    with served("migrating/after.py") as site:
        yield site


def answers(site: Site, content: bytes) -> list[tuple[str, int, dict[str, str], bytes]]:
    """What a site answers to the same requests: which request, status, the headers that programs set, content."""
    kind = "application/json"
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    found = []
    for method, path, body, headers in (
        ("GET", "/items/1", None, {}),
        ("GET", "/items/99", None, {}),
        ("GET", "/items/x", None, {}),
        ("GET", "/nothing", None, {}),
        ("GET", "/search?words=green%20t", None, {}),
        ("GET", "/search", None, {}),
        ("POST", "/items", b'{"name": "caf\xc3\xa9"}', {"Content_Type": kind}),
        ("GET", "/items/3", None, {}),
        ("POST", "/basket", "name=tea", form),
        ("POST", "/basket", "name=milk&amount=2", form),
        ("GET", "/remote/2", None, {}),
        ("GET", "/list.csv", None, {}),
        ("PUT", "/picture", content, {}),
        ("PUT", "/picture", b"", {}),
    ):
        response, answer = site.ask(method, path, body, **headers)
        kept = {
            "X-Shop": response.headers["X-Shop"],
            "Location": response.headers.get("Location", ""),
            "Content-Type": response.headers["Content-Type"].partition(";")[0],
        }
        cookie = response.headers.get("Set-Cookie", "")
        kept["cookie"] = cookie.partition(";")[0]
        kept["httponly"] = str("httponly" in cookie.lower())
        found.append((f"{method} {path}", response.status, kept, answer))
    return found


async def spoken(port: int) -> list[str | bytes | None]:
    socket = await websocket_connect(f"ws://127.0.0.1:{port}/socket")
    await socket.write_message("hello")
    await socket.write_message("again")
    heard = [await socket.read_message(), await socket.read_message()]
    socket.close()
    heard.append(await socket.read_message())
    return heard


def test_both_answer_the_same() -> None:
    content = os.urandom(300_000)
    with before() as old, after() as new:
        one, other = answers(old, content), answers(new, content)
        # Answered by the server of Eyewall, before there is a handler: the content is another.
        large = b"x" * (1024 * 1024 + 1)
        assert {site.ask("POST", "/items", large)[0].status for site in (old, new)} == {413}
        assert asyncio.run(spoken(old.port)) == asyncio.run(spoken(new.port))
    for expected, found in zip(one, other, strict=True):
        assert found == expected
    statuses = [status for _, status, _, _ in one]
    assert statuses == [200, 404, 404, 404, 200, 200, 201, 200, 200, 200, 200, 200, 200, 200]
    assert one[0][3] == b'{"number": 1, "name": "tea"}'
    assert json.loads(one[-1][3]) == {"sha256": hashlib.sha256().hexdigest()}


@pytest.mark.parametrize("name", ["test_before", "test_after"])
def test_the_tests_of_both_pass(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "unittest", name],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, "Ran 1 test" in done.stderr) == (0, True), done.stderr
