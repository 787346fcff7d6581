import asyncio
import os

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.web.application import Application
from eyewall.web.uploads import UploadHandler
from tests.waiting import until
from tests.web.serving import ask, head_of, serving

PROFILE = NATIVE.replace(multipart_memory_bytes=1000)


def form(*parts, boundary="b", close=True):
    """The body of a form; a part is (name, content) or (name, content, filename)."""
    body = b""
    for name, content, *filename in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename[0]}"' if filename else "")
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return body + (f"--{boundary}--\r\n".encode() if close else b"")


class Handler(UploadHandler):
    log: list

    def initialize(self, log):
        self.log = log

    def on_progress(self, received):
        self.log.append(received)

    async def post(self):
        received = await self.form()
        files = {
            name: [
                (part.filename, part.size, part.on_disk, (await part.read())[:5].decode()) for part in parts
            ]
            for name, parts in received.files.items()
        }
        self.write(
            {"files": files, "title": self.get_body_argument("title", None), "all": self.get_arguments("q")}
        )

    def get(self):
        self.write("no form")


def post(
    body, log=None, handler=Handler, content_type="multipart/form-data; boundary=b", path="/", **settings
):
    app = Application([("/", handler, {"log": [] if log is None else log})], profile=PROFILE, **settings)
    return ask(app, (path, "POST", {"Content-Type": content_type}, body), profile=PROFILE)


def test_a_form():
    log = []
    body = form(("title", b"Hi"), ("q", b"2"), ("f", b"small", "a.txt"), ("f", b"large" * 1000, "../b.txt"))
    response = post(body, log, path="/?q=1")
    assert response.status == 200
    assert response.body == (
        b'{"files": {"f": [["a.txt", 5, false, "small"], ["../b.txt", 5000, true, "large"]]},'
        b' "title": "Hi", "all": ["1", "2"]}'
    )
    assert log[-1] == len(body)


@pytest.mark.parametrize(
    ("body", "kwargs", "status"),
    [
        (b"x=1", {"content_type": "application/x-www-form-urlencoded"}, 415),
        (b"x", {"content_type": "multipart/form-data"}, 400),
        (b"x", {"content_type": ""}, 415),
        (form(("a", b"b"), close=False), {}, 400),
        (form(("a", b"x" * 2000)), {}, 413),
        (form(*[("a", b"b")] * 1001), {}, 400),
    ],
)
def test_refused(body, kwargs, status):
    assert post(body, **kwargs).status == status


def test_too_large():
    class Small(Handler):
        MAX_BODY_BYTES = 100

    assert post(form(("f", b"x" * 200, "a")), handler=Small).status == 413
    assert post(form(("f", b"x", "a")), handler=Small).status == 200


def test_requests_without_a_form():
    class Wrong(Handler):
        async def get(self):
            with pytest.raises(RuntimeError, match="has no form"):
                await self.form()

    assert ask(Application([("/", Handler, {"log": []})]), "/").body == b"no form"
    assert ask(Application([("/", Wrong, {"log": []})]), "/").status == 200


@pytest.mark.parametrize("ending", ["finish", "leave"])
def test_nothing_is_left(tmp_path, ending):
    """A file of a temporary upload is gone when its request is, however that ends."""

    class Kept(Handler):
        UPLOAD_DIRECTORY = str(tmp_path)

    def spooled():
        count = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                count += os.readlink(f"/proc/self/fd/{name}").startswith(str(tmp_path))
            except FileNotFoundError:
                continue
        return count

    async def main():
        app = Application([("/", Kept, {"log": []})], profile=PROFILE)
        async with serving(app, profile=PROFILE) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = form(("f", b"x" * 600_000, "a"))
            head = head_of("/", "POST", {"Content-Type": "multipart/form-data; boundary=b"}, body)
            writer.write(head[:-100])
            await until(lambda: spooled() == 1)
            if ending == "finish":
                writer.write(head[-100:])
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.transport.abort()
            await until(lambda: spooled() == 0)

    asyncio.run(main())
    assert os.listdir(tmp_path) == []
