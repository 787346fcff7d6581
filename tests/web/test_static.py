import asyncio
import datetime
import hashlib
import os
import threading

import pytest

from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.web import static
from eyewall.web.application import Application
from eyewall.web.errors import HTTPError
from eyewall.web.handler import RequestHandler
from eyewall.web.static import StaticFileHandler
from tests.waiting import until
from tests.web.serving import Response, ask, fetch, head_of, serving

LONG_AGO = 1_000_000_000
LAST_MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT"
ROBOTS = b"User-agent: *\nDisallow: /\n"
ETAG = f'"{hashlib.sha512(ROBOTS).hexdigest()}"'
BIG = bytes(range(256)) * 2048


@pytest.fixture(autouse=True)
def forget():
    StaticFileHandler.reset()
    yield
    StaticFileHandler.reset()


@pytest.fixture
def root(tmp_path):
    """A directory of files, beside one that must not be served."""
    root = tmp_path / "root"
    files = {
        "root/robots.txt": ROBOTS,
        "root/big.bin": BIG,
        "root/empty": b"",
        "root/data.xml": b"<a/>",
        "root/data.xml.gz": b"gz",
        "root/data.xml.bz2": b"bz",
        "root/a b \u00e9.html": b"named",
        "root/dir/index.html": b"index",
        "root/dir/deep/x.txt": b"deep",
        "outside/secret.txt": b"secret",
        "rootless.txt": b"should not be served",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (LONG_AGO, LONG_AGO))
    return root


def app_of(root, profile=NATIVE, handler=StaticFileHandler, **kwargs):
    return Application([("/s/(.*)", handler, {"path": str(root), **kwargs})], profile=profile)


def get(root, path, method="GET", kwargs=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(app_of(root, **(kwargs or {})), ("/s/" + path, method, headers))


def get_and_head(root, path, **headers):
    """The answer to a GET, whose fields are those of the answer to a HEAD."""
    full, bare = (get(root, path, method, **headers) for method in ("GET", "HEAD"))
    assert bare.body == b""
    assert bare.status == full.status
    names = [
        name for name in full.headers if name.startswith("Content-") or name in ("Etag", "Last-Modified")
    ]
    assert {name: bare.headers.get(name) for name in names} == {name: full.headers[name] for name in names}
    return full


# -- whole files --------------------------------------------------------------------------------------------


def test_a_file(root):
    response = get_and_head(root, "robots.txt")
    assert (response.status, response.body) == (200, ROBOTS)
    assert {name: response.headers[name] for name in response.headers if name not in ("Server", "Date")} == {
        "Content-Type": "text/plain",
        "Content-Length": str(len(ROBOTS)),
        "Accept-Ranges": "bytes",
        "Etag": ETAG,
        "Last-Modified": LAST_MODIFIED,
        "Connection": "close",
    }


@pytest.mark.parametrize("profile", [NATIVE, TORNADO], ids=lambda profile: profile.name)
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("empty", b""),
        ("big.bin", BIG),
        ("a%20b%20%C3%A9.html", b"named"),
        ("dir/deep/x.txt", b"deep"),
        ("dir%2Fdeep%2Fx.txt", b"deep"),
        ("dir/../robots.txt", ROBOTS),
        ("../root/robots.txt", ROBOTS),
        ("./dir//deep/x.txt", b"deep"),
    ],
)
def test_content(root, profile, path, content):
    app = app_of(root, profile)
    for response in ask(app, "/s/" + path, "/s/" + path):
        assert (response.status, response.body) == (200, content)
        assert response.headers["Content-Length"] == str(len(content))
        assert response.headers["Etag"] == f'"{hashlib.sha512(content).hexdigest()}"'


@pytest.mark.parametrize(
    ("path", "ctype"),
    [
        ("data.xml.gz", {"application/gzip"}),
        ("data.xml.bz2", {"application/octet-stream"}),
        ("data.xml", {"text/xml", "application/xml"}),
        ("empty", {"application/octet-stream"}),
        ("dir/index.html", {"text/html"}),
    ],
)
def test_types(root, path, ctype):
    assert get(root, path).headers["Content-Type"] in ctype


def test_other_methods(root):
    assert get(root, "robots.txt", "POST").status == 405


@pytest.mark.parametrize("path", ["robots.txt", "big.bin"])
def test_versioned_urls_are_cached(root, path):
    response = get(root, path + "?v=1")
    assert response.headers["Cache-Control"] == "max-age=315360000"
    expires = datetime.datetime.strptime(response.headers["Expires"], "%a, %d %b %Y %H:%M:%S GMT")
    assert expires.year - datetime.datetime.now(datetime.UTC).year in (9, 10)
    assert "Cache-Control" not in get(root, path + "?w=1").headers


# -- what is not there, or not to be seen -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nope", 404),
        ("nope/", 404),
        ("robots.txt/x", 404),
        ("robots.txt%00", 404),
        ("%00", 404),
        ("x" * 300, 404),
        ("x/" * 3000, 404),
        ("..\\root\\robots.txt", 404),
        ("CON", 404),
        ("", 403),
        ("dir", 403),
        ("dir/", 403),
        ("../rootless.txt", 403),
        ("../root", 403),
        ("..", 403),
        ("../", 403),
        ("..%2Frootless.txt", 403),
        ("%2e%2e/rootless.txt", 403),
        ("../outside/secret.txt", 403),
        ("../outside/nope.txt", 403),
        ("../../../../../../../../../../etc/passwd", 403),
        ("/etc/passwd", 403),
        ("//etc/passwd", 403),
        ("dir/../../rootless.txt", 403),
    ],
)
@pytest.mark.parametrize("default", [None, "index.html"])
def test_refused(root, path, status, default, caplog):
    if default and path in ("", "dir", "dir/", "../root"):
        pytest.skip("a directory")
    response = get(root, path, kwargs={"default_filename": default})
    assert response.status == status
    assert b"secret" not in response.body
    assert b"served" not in response.body
    if status == 403:
        assert "is not in root static directory" in caplog.text or "is not a file" in caplog.text


def test_pipes_and_devices(root, caplog):
    os.mkfifo(root / "fifo")
    (root / "zero").symlink_to("/dev/zero")
    assert get(root, "fifo").status == 403
    assert get(root, "zero").status == 403
    assert get(root, "zero", kwargs={"allowed_symlink_directory": [str(root), "/dev"]}).status == 403
    assert "fifo is not a file" in caplog.text
    assert "zero is not in root static directory" in caplog.text
    assert "zero is not a file" in caplog.text


def test_links(root, tmp_path):
    (root / "internal.txt").symlink_to(root / "robots.txt")
    (root / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "linkdir").symlink_to(tmp_path / "outside")
    (root / "missing").symlink_to(tmp_path / "outside" / "nope")
    (root / "circle").symlink_to("circle")
    (root / "sub").mkdir()
    (root / "sub" / "index.html").symlink_to(tmp_path / "outside" / "secret.txt")
    other = tmp_path / "other"
    other.mkdir()
    (root / "other.txt").symlink_to(tmp_path / "rootless.txt")
    assert get(root, "internal.txt").body == ROBOTS
    for path in ("link.txt", "linkdir/secret.txt", "linkdir", "missing", "other.txt", "linkdir/nope"):
        assert get(root, path).status == 403
        assert get(root, path, kwargs={"default_filename": "index.html"}).status == 403
    assert get(root, "sub/", kwargs={"default_filename": "index.html"}).status == 403
    assert get(root, "circle").status == 404
    for allowed in (str(tmp_path), [str(root), str(tmp_path / "outside")]):
        kwargs = {"allowed_symlink_directory": allowed}
        assert get(root, "link.txt", kwargs=kwargs).body == b"secret"
        assert get(root, "linkdir/secret.txt", kwargs=kwargs).body == b"secret"
        assert get(root, "robots.txt", kwargs=kwargs).body == ROBOTS
        assert get(root, "missing", kwargs=kwargs).status == 404
    only = {"allowed_symlink_directory": [str(root), str(tmp_path / "outside")]}
    assert get(root, "other.txt", kwargs=only).status == 403


def test_root_behind_a_link(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    assert get(tmp_path / "link", "robots.txt").body == ROBOTS


def test_the_whole_file_system(root):
    assert get("/", str(root / "robots.txt")).body == ROBOTS
    assert get("/", str(root / "robots.txt").lstrip("/")).body == ROBOTS


def test_relative_root(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    assert get("root/", "robots.txt").body == ROBOTS


def test_unreadable(root, monkeypatch, caplog):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("eyewall.web.staticpaths.os.open", refuse)
    assert get(root, "robots.txt").status == 403
    assert "Could not open static file" in caplog.text


def test_out_of_descriptors(root, monkeypatch):
    def refuse(path, flags):
        raise OSError(24, "Too many open files", path)

    monkeypatch.setattr("eyewall.web.staticpaths.os.open", refuse)
    assert get(root, "robots.txt").status == 503


# -- directories --------------------------------------------------------------------------------------------


def test_default_filename(root):
    kwargs = {"default_filename": "index.html"}
    assert get(root, "dir/", kwargs=kwargs).body == b"index"
    assert get(root, "dir/", kwargs=kwargs).headers["Content-Type"] == "text/html"
    response = get(root, "dir", kwargs=kwargs)
    assert (response.status, response.headers["Location"]) == (301, "/s/dir/")
    assert get(root, "", kwargs=kwargs).status == 404
    assert get(root, "dir/deep/", kwargs=kwargs).status == 404


@pytest.mark.parametrize("path", ["//evil.com/..{root}/dir", "/\\evil.com/../dir"])
def test_directories_are_no_open_redirect(root, path, caplog):
    app = Application(
        static_path=str(root), static_url_prefix="/", static_handler_args={"default_filename": "index.html"}
    )
    response = ask(app, path.format(root=root))
    assert response.status == 403
    assert "Location" not in response.headers
    assert "cannot redirect path with two initial slashes" in caplog.text


# -- conditions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_None_Match": ETAG}, 304),
        ({"If_None_Match": "W/" + ETAG}, 304),
        ({"If_None_Match": f'"x", {ETAG}'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"x"'}, 200),
        ({"If_Modified_Since": LAST_MODIFIED}, 304),
        ({"If_Modified_Since": "Sun, 09 Sep 2001 01:46:41 GMT"}, 304),
        ({"If_Modified_Since": "Sun, 09 Sep 2001 01:46:39 GMT"}, 200),
        ({"If_Modified_Since": "Fri, 01 Jan 1960 00:00:00 GMT"}, 200),
        ({"If_Modified_Since": "!nv@l!d"}, 200),
        ({"If_None_Match": '"x"', "If_Modified_Since": LAST_MODIFIED}, 200),
        ({"If_None_Match": ETAG, "Range": "bytes=1-4"}, 304),
    ],
)
def test_conditions(root, headers, status):
    response = get_and_head(root, "robots.txt", **headers)
    assert response.status == status
    assert response.headers["Etag"] == ETAG
    if status == 304:
        assert response.body == b""
        assert "Content-Length" not in response.headers
        assert "Content-Type" not in response.headers


# -- ranges -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [NATIVE, NATIVE.replace(static_file_bytes=0)], ids=["memory", "disk"])
@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-9", "bytes 0-9/26"),
        ("bytes=1-10000000", "bytes 1-25/26"),
        ("bytes=22-", "bytes 22-25/26"),
        ("bytes=-4", "bytes 22-25/26"),
        ("bytes=25-25", "bytes 25-25/26"),
        ("bytes=0-", None),
        ("bytes=0-10000000", None),
        ("bytes=-1000000", None),
        ("asdf", None),
        ("items=0-1", None),
        ("bytes=0-1,3-4", None),
    ],
)
def test_ranges(root, profile, header, part):
    app = app_of(root, profile)
    full, bare = ask(
        app, ("/s/robots.txt", "GET", {"Range": header}), ("/s/robots.txt", "HEAD", {"Range": header})
    )
    assert bare.body == b""
    for response in (full, bare):
        assert response.status == (200 if part is None else 206)
        assert response.headers.get("Content-Range") == part
        assert response.headers["Content-Length"] == str(len(full.body))
        assert response.headers["Etag"] == ETAG
    if part is None:
        assert full.body == ROBOTS
    else:
        start, stop = part.split(" ")[1].split("/")[0].split("-")
        assert full.body == ROBOTS[int(start) : int(stop) + 1]


@pytest.mark.parametrize("header", ["bytes=-0", "bytes=26", "bytes=26-", "bytes=10-3"])
def test_unsatisfiable_ranges(root, header):
    response = get_and_head(root, "robots.txt", Range=header)
    assert (response.status, response.headers["Content-Range"], response.body) == (416, "bytes */26", b"")


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (ETAG, 206),
        ('"x"', 200),
        ("W/" + ETAG, 200),
        (LAST_MODIFIED, 206),
        ("Sun, 09 Sep 2001 01:46:39 GMT", 200),
        ("junk", 200),
    ],
)
def test_if_range(root, condition, status):
    assert get(root, "robots.txt", Range="bytes=0-1", If_Range=condition).status == status


# -- versions -----------------------------------------------------------------------------------------------


def version(root, path, handler=StaticFileHandler):
    return handler.get_version({"static_path": str(root)}, path)


def test_version(root):
    assert version(root, "robots.txt") == hashlib.sha512(ROBOTS).hexdigest()
    assert version(root, "big.bin") == hashlib.sha512(BIG).hexdigest()


def test_version_follows_the_file(root):
    before = version(root, "robots.txt")
    (root / "robots.txt").write_bytes(b"new")
    assert version(root, "robots.txt") == hashlib.sha512(b"new").hexdigest() != before


@pytest.mark.parametrize("path", ["../outside/secret.txt", "/etc/passwd", "../rootless.txt"])
def test_version_of_what_is_outside(root, path):
    with pytest.raises(HTTPError) as caught:
        version(root, path)
    assert caught.value.status_code == 403


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("dir", "is not a file"),
        ("fifo", "is not a file"),
        ("nope", "Not Found"),
        ("zero", "is not a file"),
        ("link", "is not in"),
    ],
)
def test_no_version(root, tmp_path, path, message, caplog):
    os.mkfifo(root / "fifo")
    (root / "zero").symlink_to("/dev/zero")
    (root / "link").symlink_to(tmp_path / "outside" / "secret.txt")
    assert version(root, path) is None
    assert "Could not open static file" in caplog.text
    assert message in caplog.text


def test_version_of_allowed_links(root, tmp_path):
    (root / "link").symlink_to(tmp_path / "outside" / "secret.txt")
    settings = {
        "static_path": str(root),
        "static_handler_args": {"allowed_symlink_directory": str(tmp_path)},
    }
    assert StaticFileHandler.get_version(settings, "link") == hashlib.sha512(b"secret").hexdigest()


def test_version_where_a_class_finds_its_files_itself(root, tmp_path):
    class SeveralRoots(StaticFileHandler):
        @classmethod
        def get_absolute_path(cls, root, path):
            with cls._lock:
                return next(at for one in root if os.path.exists(at := os.path.join(one, path)))

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "here.txt").write_bytes(b"here")
    settings = {"static_path": [str(root), str(tmp_path / "other")]}
    assert SeveralRoots.get_version(settings, "here.txt") == hashlib.sha512(b"here").hexdigest()


def test_large_files_have_no_version(root, caplog):
    class Small(StaticFileHandler):
        MAX_VERSION_CONTENT_SIZE = len(ROBOTS) - 1

    assert version(root, "robots.txt", Small) is None
    assert "larger than" in caplog.text
    caplog.clear()
    response = ask(app_of(root, handler=Small), "/s/robots.txt")
    assert (response.status, response.body) == (200, ROBOTS)
    assert "Etag" not in response.headers
    assert not [record for record in caplog.records if record.name == "tornado.general"]


def test_remembered_versions_are_bounded(root):
    reads = []

    class Limited(StaticFileHandler):
        MAX_CACHED_VERSIONS = 2

        @classmethod
        def get_content_version(cls, abspath):
            reads.append(os.path.basename(abspath))
            return super().get_content_version(abspath)

    Limited.reset()
    for name in "abc":
        (root / name).write_text(name)
    for name in "abacab":
        assert version(root, name, Limited) == hashlib.sha512(name.encode()).hexdigest()
    assert reads == ["a", "b", "c", "b"]
    assert len(Limited._static_hashes) == 2


def test_urls(root):
    settings = {"static_path": str(root)}
    digest = hashlib.sha512(ROBOTS).hexdigest()
    make = StaticFileHandler.make_static_url
    assert make(settings, "robots.txt") == f"/static/robots.txt?v={digest}"
    assert make(settings, "robots.txt", include_version=False) == "/static/robots.txt"
    assert make(settings, "dir") == "/static/dir"
    assert make({**settings, "static_url_prefix": "/x/"}, "robots.txt") == f"/x/robots.txt?v={digest}"


def test_static_path_setting(root):
    class Page(RequestHandler):
        def get(self):
            self.write(self.static_url("robots.txt"))

    app = Application([("/page", Page)], static_path=str(root))
    url = ask(app, "/page").body.decode()
    assert [response.body for response in ask(app, url, "/robots.txt")] == [ROBOTS, ROBOTS]


# -- memory and disk ----------------------------------------------------------------------------------------


def test_files_are_kept_for_a_moment(root, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(static.time, "monotonic", lambda: now[0])
    looked = []
    monkeypatch.setattr(
        static, "look_up", lambda *args, real=static.look_up: looked.append(args[0].path) or real(*args)
    )
    app = app_of(root)
    ask(app, "/s/robots.txt", "/s/robots.txt", ("/s/robots.txt", "HEAD"), "/s/robots.txt?v=1")
    assert looked == ["robots.txt"]
    now[0] += NATIVE.static_fresh
    ask(app, "/s/robots.txt", "/s/dir/../robots.txt")
    assert looked == ["robots.txt", "robots.txt", "dir/../robots.txt"]
    ask(app, "/s/big.bin", "/s/big.bin")
    assert looked[3:] == ["big.bin", "big.bin"]


def test_changes_are_seen(root):
    for profile in (NATIVE, TORNADO):
        app = app_of(root, profile)
        for content in (b"one", b"three", b"two"):
            (root / "robots.txt").write_bytes(content)
            response = ask(app, "/s/robots.txt")
            assert response.body == content
            assert response.headers["Etag"] == f'"{hashlib.sha512(content).hexdigest()}"'


def test_the_disk_is_touched_in_threads_only(root, monkeypatch):
    main = threading.get_ident()
    touched = []
    (root / "link").symlink_to("robots.txt")
    app = app_of(root, TORNADO, default_filename="index.html")
    for name in ("open", "stat", "lstat", "readlink"):
        real = getattr(os, name)

        def watched(path, *args, real=real, **kwargs):
            if isinstance(path, str) and path.startswith(str(root.parent)):
                touched.append((real.__name__, path, threading.get_ident()))
            return real(path, *args, **kwargs)

        monkeypatch.setattr(os, name, watched)
    paths = ["/s/robots.txt", "/s/big.bin", "/s/nope", "/s/link", "/s/dir/", "/s/dir", "/s/../x"]
    statuses = [response.status for response in ask(app, *paths)]
    monkeypatch.undo()
    assert statuses == [200, 200, 404, 200, 200, 301, 403]
    assert {name for name, _, _ in touched} >= {"open", "stat", "lstat"}
    assert [what for what in touched if what[2] == main] == []


def test_a_disk_that_hangs_stops_nobody(root, monkeypatch):
    go = threading.Event()

    def hang(*args):
        assert go.wait(10)
        return static_look_up(*args)

    static_look_up = static.look_up
    monkeypatch.setattr(static, "look_up", hang)

    class Other(RequestHandler):
        def get(self):
            self.write("alive")

    app = Application([("/s/(.*)", StaticFileHandler, {"path": str(root)}), ("/", Other)])

    async def main():
        async with serving(app) as port:
            waiting = [
                asyncio.create_task(fetch(port, "/s/robots.txt")) for _ in range(NATIVE.file_threads + 3)
            ]
            await asyncio.sleep(0)
            assert (await fetch(port, "/")).body == b"alive"
            assert not any(task.done() for task in waiting)
            go.set()
            for response in await asyncio.gather(*waiting):
                assert response.body == ROBOTS

    asyncio.run(main())


def test_truncated_while_it_is_sent(root, caplog):
    size = 8 * 1024 * 1024
    path = root / "huge.bin"
    path.write_bytes(b"x" * size)

    async def main():
        async with serving(app_of(root)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65536)
            writer.write(head_of("/s/huge.bin"))
            got = await reader.readuntil(b"\r\n\r\n")
            assert f"Content-Length: {size}".encode() in got
            path.write_bytes(b"")
            try:
                rest = await reader.read(-1)
            except ConnectionResetError:
                rest = b""
            assert len(rest) < size
            writer.close()
            # The server goes on.
            assert (await fetch(port, "/s/robots.txt")).body == ROBOTS

    asyncio.run(main())
    assert "failed while it was sent" in caplog.text


def test_a_client_that_leaves_costs_no_descriptor(root):
    path = root / "huge.bin"
    path.write_bytes(b"x" * 8 * 1024 * 1024)

    def open_files():
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return [link for link in links if os.path.exists(link) and os.path.realpath(link) == str(path)]

    async def main():
        async with serving(app_of(root)) as port:
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65536)
                writer.write(head_of("/s/huge.bin"))
                await reader.readuntil(b"\r\n\r\n")
                assert len(open_files()) == 1
                writer.transport.abort()
                await until(lambda: not open_files())

    asyncio.run(main())


# -- with transforms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["robots.txt", "page.html"])
def test_compressed(root, path):
    import gzip

    content = b"<p>hello</p>" * 50000
    (root / "page.html").write_bytes(content)
    app = Application([("/s/(.*)", StaticFileHandler, {"path": str(root)})], compress_response=True)
    zipped, plain, part = ask(
        app,
        ("/s/" + path, "GET", {"Accept-Encoding": "gzip"}),
        "/s/" + path,
        ("/s/" + path, "GET", {"Accept-Encoding": "gzip", "Range": "bytes=0-3"}),
    )
    expected = content if path == "page.html" else ROBOTS
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body == expected
    assert zipped.headers["Etag"] == "W/" + plain.headers["Etag"]
    assert "Content-Encoding" not in part.headers
    assert (part.status, part.body) == (206, expected[:4])
    # How long it is is known where it is not compressed.
    assert (plain.headers["Content-Length"], part.headers["Content-Length"]) == (str(len(expected)), "4")
    assert "Content-Length" not in zipped.headers


# -- subclasses ---------------------------------------------------------------------------------------------


class Elsewhere(StaticFileHandler):
    """Content that is not in files."""

    @classmethod
    def get_absolute_path(cls, root, path):
        return "elsewhere:" + path

    def validate_absolute_path(self, root, absolute_path):
        return absolute_path

    @classmethod
    def get_content(cls, abspath, start=None, end=None):
        assert abspath == "elsewhere:foo.txt"
        return b"bar"[start:end]

    def get_content_size(self):
        return 3

    def get_modified_time(self):
        return None

    @classmethod
    def get_version(cls, settings, path):
        return "42"


class InPieces(Elsewhere):
    @classmethod
    def get_content(cls, abspath, start=None, end=None):
        for byte in b"bar"[start:end]:
            yield bytes([byte])


@pytest.mark.parametrize("handler", [Elsewhere, InPieces])
def test_content_from_elsewhere(handler, caplog):
    app = app_of("dummy", handler=handler)
    full, part, head = ask(
        app, "/s/foo.txt", ("/s/foo.txt", "GET", {"Range": "bytes=1-1"}), ("/s/foo.txt", "HEAD")
    )
    assert (full.status, full.body, full.headers["Content-Type"]) == (200, b"bar", "text/plain")
    assert "Last-Modified" not in full.headers
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"a", "bytes 1-1/3")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "3")
    assert not [record for record in caplog.records if record.name == "tornado.general"]


def test_own_urls(root):
    class Named(StaticFileHandler):
        @classmethod
        def make_static_url(cls, settings, path, include_version=True):
            base, _, extension = path.rpartition(".")
            return f"/static/{base}.{cls.get_version(settings, path)[:8]}.{extension}"

        def parse_url_path(self, url_path):
            base, _, extension = url_path.rpartition(".")
            return base.rpartition(".")[0] + "." + extension

    class Page(RequestHandler):
        def get(self):
            self.write(self.static_url("robots.txt"))

    app = Application([("/page", Page)], static_path=str(root), static_handler_class=Named)
    url = ask(app, "/page").body.decode()
    assert url == f"/static/robots.{hashlib.sha512(ROBOTS).hexdigest()[:8]}.txt"
    assert ask(app, url).body == ROBOTS


class Several(StaticFileHandler):
    """Several roots, as Jupyter has them: `initialize` is replaced, `root` is a tuple."""

    def initialize(self, path):
        self.root = tuple(os.path.abspath(p) + os.path.sep for p in path)
        self.default_filename = None

    @classmethod
    def get_absolute_path(cls, roots, path):
        for root in roots:
            candidate = os.path.abspath(os.path.join(root, path))
            if os.path.exists(candidate):
                return candidate
        return os.path.abspath(os.path.join(roots[0], path))

    def validate_absolute_path(self, root, absolute_path):
        for candidate in self.root:
            if (absolute_path + os.path.sep).startswith(candidate):
                root = candidate
                break
        return super().validate_absolute_path(root, absolute_path)


def test_several_roots(root, tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    (second / "two.txt").write_bytes(b"two")
    (second / "internal.txt").symlink_to(root / "robots.txt")
    (root / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    app = Application([("/s/(.*)", Several, {"path": [str(root), str(second)]})])
    paths = ["/s/robots.txt", "/s/two.txt", "/s/big.bin", "/s/internal.txt", "/s/link.txt", "/s/nope"]
    responses = ask(app, *paths)
    assert [response.status for response in responses] == [200, 200, 200, 403, 403, 404]
    assert [response.body for response in responses[:3]] == [ROBOTS, b"two", BIG]
    assert responses[0].headers["Etag"] == ETAG


def test_only_the_fields_changed(root):
    class Fields(StaticFileHandler):
        def set_extra_headers(self, path):
            self.set_header("X-Path", f"{path}|{self.absolute_path}|{self.get_content_size()}")

        def get_content_type(self):
            return "text/x-mine"

        def get_cache_time(self, path, modified, mime_type):
            assert modified.tzinfo is datetime.UTC
            assert mime_type == "text/x-mine"
            return 60

    (root / "link").symlink_to("robots.txt")
    for profile in (NATIVE, TORNADO):
        response = ask(app_of(root, profile, Fields), "/s/link")
        assert response.headers["X-Path"] == f"link|{root}/robots.txt|26"
        assert response.headers["Content-Type"] == "text/x-mine"
        assert response.headers["Cache-Control"] == "max-age=60"


def test_get_can_be_extended(root):
    class Extended(StaticFileHandler):
        async def get(self, path, include_body=True):
            self.set_header("X-Extended", "1")
            await super().get(path + ".txt", include_body)

    response = ask(app_of(root, handler=Extended), "/s/robots")
    assert (response.body, response.headers["X-Extended"]) == (ROBOTS, "1")


def test_own_versions(root):
    class Versions(StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath):
            return "v" + os.path.basename(abspath)

    for profile in (NATIVE, TORNADO):
        response = ask(app_of(root, profile, Versions), "/s/robots.txt")
        assert response.headers["Etag"] == '"vrobots.txt"'
    assert version(root, "robots.txt", Versions) == "vrobots.txt"


def test_get_content_reads_files(root):
    path = str(root / "big.bin")
    assert b"".join(StaticFileHandler.get_content(path)) == BIG
    assert b"".join(StaticFileHandler.get_content(path, 5, 100000)) == BIG[5:100000]
    assert max(len(piece) for piece in StaticFileHandler.get_content(path)) <= 64 * 1024


def test_response_helper_of_these_tests():
    response = Response(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert (response.status, response.body) == (200, b"abc")
