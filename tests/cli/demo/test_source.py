from __future__ import annotations

import asyncio
import html
import re
from pathlib import Path
from typing import Any

import pytest

import eyewall.cli.demo
from eyewall.cli.demo.source import highlight, highlighted
from eyewall.http.server import HTTPServer
from eyewall.loop import run
from eyewall.web import Application

pytestmark = pytest.mark.one_build

STRING = '<span class="code-string">'
DIRECTORY = Path(eyewall.cli.demo.__file__).parent


@pytest.mark.parametrize("file", sorted(DIRECTORY.rglob("*.py")), ids=lambda file: file.name)
def test_what_is_shown_is_the_code(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    shown = highlight(source)
    assert set(re.findall(r"<[^>]*>", shown)) <= {"</span>"} | {
        f'<span class="code-{kind}">' for kind in ("keyword", "string", "comment", "number", "self")
    }
    assert html.unescape(re.sub(r"<[^>]*>", "", shown)) == source


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("", ""),
        ("x = 1", 'x = <span class="code-number">1</span>'),
        (
            "return '<&>'\n",
            f'<span class="code-keyword">return</span> {STRING}&#x27;&lt;&amp;&gt;&#x27;</span>\n',
        ),
        (
            '"""a\nb"""  # c',
            f'{STRING}&quot;&quot;&quot;a\nb&quot;&quot;&quot;</span>  <span class="code-comment"># c</span>',
        ),
    ],
)
def test_what_stands_out(source: str, shown: str) -> None:
    assert highlight(source) == shown


def test_templates_are_shown_as_they_are() -> None:
    shown = highlighted("templates/guestbook.html")
    assert "<" not in shown
    assert html.unescape(shown) == (DIRECTORY / "templates" / "guestbook.html").read_text(encoding="utf-8")


def test_the_program_on_the_first_page_works(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {"__name__": "hello"}
    exec(compile((DIRECTORY / "hello.py").read_text(), "hello.py", "exec"), names)
    listen = Application.listen
    servers: list[HTTPServer] = []

    def listen_elsewhere(app: Application, port: int) -> None:
        assert port == 8080
        servers.append(listen(app, 0, "127.0.0.1"))

    async def main() -> None:
        program = asyncio.create_task(names["main"]())
        while not servers:
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection(*servers[0].sockets[0].getsockname())
        writer.write(b"GET /hello/Ada HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b'{"hello": "Ada"}')
        writer.close()
        servers[0].stop()
        program.cancel()
        await asyncio.wait([program])

    monkeypatch.setattr(Application, "listen", listen_elsewhere)
    run(main())
