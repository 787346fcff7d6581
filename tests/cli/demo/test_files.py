from __future__ import annotations

import socket
from pathlib import Path

import pytest

from eyewall.cli.demo import shelf
from eyewall.cli.demo.limits import SHELF_BYTES, UPLOAD_BYTES
from eyewall.cli.demo.shelf import Shelf, ShelfFull, clean_name

from .site import FORM, PATIENCE, Answer, Site, Visitor, form_body

pytestmark = pytest.mark.one_build


def upload(visitor: Visitor, name: str, content: bytes) -> Answer:
    return visitor.ask("POST", "/api/files/upload", form_body(("file", name, content)), FORM)


def test_a_file_goes_round(visitor: Visitor) -> None:
    content = bytes(range(256)) * 8000
    made = upload(visitor, "data.bin", content)
    assert made.status == 201
    item = made.json
    assert (item["name"], item["size"]) == ("data.bin", len(content))
    assert made.headers["Location"] == f"/api/files/{item['id']}"
    listed = visitor.ask("GET", "/api/files").json
    assert listed == {"files": [item], "used": len(content), "room": SHELF_BYTES}
    answer = visitor.ask("GET", item["url"])
    assert (answer.status, answer.body) == (200, content)
    part = visitor.ask("GET", item["url"], headers={"Range": "bytes=256-259"})
    assert (part.status, part.body) == (206, b"\0\1\2\3")
    assert visitor.ask("DELETE", made.headers["Location"]).status == 204
    assert visitor.ask("GET", item["url"]).status == 404
    assert visitor.ask("DELETE", made.headers["Location"]).status == 404
    assert visitor.ask("GET", "/api/files").json["used"] == 0
    assert list((visitor.site.directory / "files").iterdir()) == []


def test_a_page_that_was_uploaded_never_runs(visitor: Visitor) -> None:
    item = upload(visitor, "a%22><script>'.html", b"<script>alert(1)</script>").json
    answer = visitor.ask("GET", item["url"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename*=UTF-8''a")
    assert not set(disposition.partition("''")[2]) & set("\"'<>; \\")


@pytest.mark.parametrize(
    "path",
    [
        "/files/../demo.db",
        "/files/..%2fdemo.db",
        "/files/%2e%2e/demo.db",
        "/files//etc/passwd",
        "/files/%2fetc%2fpasswd",
        "/files/..%5cdemo.db",
        "/files/%00",
        "/files/.",
        "/files/",
        "/static/../application.py",
        "/static/..%2fapplication.py",
        "/static/%2e%2e%2f%2e%2e%2fdemo/application.py",
        "/static//etc/passwd",
    ],
)
def test_nothing_else_can_be_had(visitor: Visitor, path: str) -> None:
    (visitor.site.directory / "files" / "stray").write_bytes(b"not on the shelf")
    with socket.create_connection(("127.0.0.1", visitor.site.port), PATIENCE) as raw:
        # As it is: a client of the library would tidy it.
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        status = int(raw.makefile("rb").readline().split()[1])
    assert status in (400, 403, 404)
    assert visitor.ask("GET", "/files/stray").status == 404


def test_a_name_is_never_a_path(visitor: Visitor) -> None:
    item = upload(visitor, "../../../../tmp/evil.sh", b"x").json
    assert item["name"] == "evil.sh"
    assert [file.name for file in (visitor.site.directory / "files").iterdir()] == [item["id"]]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.txt", "a.txt"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("/etc/", "file"),
        ("..", "file"),
        ("", "file"),
        ("\u202egpj.exe", "gpj.exe"),
        ("a\r\nb\x00.txt", "a b .txt"),
        ("x" * 300 + ".tar", "x" * 116 + ".tar"),
        ("x" * 300, "x" * 120),
        ("a." + "y" * 300, ("a." + "y" * 300)[:120]),
    ],
)
def test_a_name_is_made_harmless(given: str, kept: str) -> None:
    assert clean_name(given) == kept


def raw_answer(site: Site, visitor: Visitor, head: str, *pieces: bytes) -> bytes:
    """Sends a request as it is, and returns all of the answer; sending ends when the server wants no more."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in {**visitor.fields(), **FORM}.items())
    with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as raw:
        raw.sendall(f"POST /api/files/upload HTTP/1.1\r\nHost: a\r\n{fields}{head}\r\n\r\n".encode())
        answer = b""
        try:
            for piece in pieces:
                raw.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while data := raw.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def test_too_much_is_refused_before_it_comes(site: Site, visitor: Visitor) -> None:
    answer = raw_answer(site, visitor, f"Connection: close\r\nContent-Length: {UPLOAD_BYTES * 2}")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"message": "A file may have 32 MiB."' in answer


def test_too_much_without_a_length_is_refused_when_it_is_too_much(
    site: Site, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyewall.cli.demo.handlers.files.Upload.MAX_BODY_BYTES", 100_000)
    begin = form_body(("file", "a", b""))[: -len("\r\n--frontier--\r\n")]
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    answer = raw_answer(
        site,
        visitor,
        "Transfer-Encoding: chunked",
        f"{len(begin):x}\r\n".encode() + begin + b"\r\n",
        *[piece] * 4,
    )
    assert answer.startswith(b"HTTP/1.1 413")
    assert visitor.ask("GET", "/api/files").json["files"] == []
    # What was set aside for it is free again.
    monkeypatch.setattr(shelf, "SHELF_BYTES", 100_000)
    assert upload(visitor, "a", b"a").status == 201


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (form_body(("file", "a", b"1"), ("file", "b", b"2")), FORM, 400),
        (form_body(("file", "a", b"1"), ("more", None, b"2")), FORM, 400),
        (form_body(("file", None, b"1")), FORM, 400),
        (form_body(("other", "a", b"1")), FORM, 400),
        (form_body(("file", "a", b"1"))[:-6], FORM, 400),
        (b"no form", FORM, 400),
        (b"", FORM, 400),
        (b"{}", {"Content-Type": "application/json"}, 415),
        (b"x", {"Content-Type": "multipart/form-data"}, 400),
    ],
)
def test_what_is_no_upload_is_refused(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = visitor.ask("POST", "/api/files/upload", body, headers)
    assert answer.status == status
    if body != b"no form":
        # A body that is malformed ends the connection, too, and gets the server's own answer.
        assert answer.json["error"]["status"] == status
    assert visitor.ask("GET", "/api/files").json["files"] == []
    # What was set aside for it is free again.
    monkeypatch.setattr(shelf, "SHELF_BYTES", 200)
    assert upload(visitor, "a", b"a").status == 201


def test_a_full_shelf_takes_no_more(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "SHELF_BYTES", 1000)
    assert upload(visitor, "a", b"x" * 500).status == 201
    answer = upload(visitor, "b", b"x" * 500)
    assert answer.status == 507
    assert "room" in answer.json["error"]["message"]
    monkeypatch.setattr(shelf, "SHELF_FILES", 1)
    assert upload(visitor, "c", b"").status == 507


def test_room_that_is_promised_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "SHELF_BYTES", 100)
    files = Shelf(tmp_path)
    files.promise(60)
    with pytest.raises(ShelfFull):
        files.promise(60)
    files.promise(40)
    files.release(60)
    files.promise(60)


def test_a_client_that_leaves_leaves_nothing(site: Site, visitor: Visitor) -> None:
    fields = "".join(f"{name}: {value}\r\n" for name, value in {**visitor.fields(), **FORM}.items())
    with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as raw:
        body = form_body(("file", "a", b"x" * 3_000_000))
        head = f"POST /api/files/upload HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
        raw.sendall(head.encode() + body[:2_000_000])
    site.close()
    # Spooled files have no name where the system can do that; either way nothing stays.
    assert list((site.directory / "spool").iterdir()) == []
    assert list((site.directory / "files").iterdir()) == []
