import asyncio
import os

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.http import spool
from eyewall.http.errors import DiskFull, FieldTooLarge, HTTPInputError, TooManyParts
from eyewall.http.upload import MultipartReceiver

TYPE = "multipart/form-data; boundary=1234"
PROFILE = NATIVE.replace(multipart_memory_bytes=1000, multipart_parts=5)


def part(disposition, content):
    return b"--1234\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + content + b"\r\n"


END = b"--1234--\r\n"


async def receive(receiver, body, size):
    for at in range(0, len(body), size):
        waiting = receiver.feed(body[at : at + size])
        if waiting is not None:
            await waiting
    await receiver.finish()


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_receives(size, tmp_path):
    large = os.urandom(5000)
    body = part(b"name=a", b"1") + part(b'name="big"; filename="x"', large) + part(b"name=a", b"2")
    body += part(b'name="small"; filename="y"', b"s") + END

    async def main():
        with MultipartReceiver(TYPE, PROFILE, directory=str(tmp_path)) as receiver:
            await receive(receiver, body, size)
            assert receiver.arguments == {"a": [b"1", b"2"]}
            assert [part.name for part in receiver.parts] == ["a", "big", "a", "small"]
            (big,) = receiver.files["big"]
            (small,) = receiver.files["small"]
            assert big.on_disk
            assert not small.on_disk
            assert await big.read() == large
            assert await small.read() == b"s"
            assert receiver.received == len(body)
        assert os.listdir(tmp_path) == []
        with pytest.raises(ValueError, match="closed"):
            await big.read()

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_to_wait_for_in_memory():
    receiver = MultipartReceiver(TYPE, PROFILE)
    assert receiver.feed(part(b"name=a; filename=b", b"x" * 999) + END) is None


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (part(b"name=a", b"x" * 1001) + END, FieldTooLarge, 413),
        (part(b"name=a", b"") * 6 + END, TooManyParts, 400),
        (part(b"name=a; filename=b", b"x" * 9000), HTTPInputError, 400),
        (part(b"name=a; filename=b", b"x" * 9000) + b"--1234\r\nbad\r\n\r\n", HTTPInputError, 400),
        (part(b"name=a; filename=b", b"x" * 9000) + part(b"name=c", b"x" * 9000), FieldTooLarge, 413),
    ],
)
@pytest.mark.parametrize("size", [500, 10**6])
def test_refused_with_nothing_left_open(body, kind, status, size):
    async def main():
        receiver = MultipartReceiver(TYPE, PROFILE)
        with pytest.raises(kind) as caught:
            await receive(receiver, body, size)
        assert caught.value.status == status

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_full_disk(monkeypatch):
    def full(directory):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "_open_file", full)

    async def main():
        receiver = MultipartReceiver(TYPE, PROFILE)
        with pytest.raises(DiskFull) as caught:
            await receive(receiver, part(b"name=a; filename=b", b"x" * 9000) + END, 500)
        assert caught.value.status == 507

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("text/plain", 415), ("multipart/mixed; boundary=1234", 415), ("multipart/form-data", 400), ("", 415)],
)
def test_other_media_types(content_type, status):
    with pytest.raises(HTTPInputError) as caught:
        MultipartReceiver(content_type)
    assert caught.value.status == status
