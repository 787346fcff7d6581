"""HTTP/1 over streams that programs have: requests written and answers read, and the other way round."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyewall.http.delegates import HTTPMessageDelegate
from eyewall.http.errors import HTTPInputError, HTTPOutputError
from eyewall.http.h1connection import HTTP1Connection
from eyewall.http.h1params import (
    HTTP1ConnectionParameters,
    is_transfer_encoding_chunked,
    parse_hex_int,
    parse_int,
)
from eyewall.http.headers import HTTPHeaders
from eyewall.http.startline import RequestStartLine, ResponseStartLine
from eyewall.net.errors import StreamClosedError
from eyewall.net.iostream import IOStream

from ..conftest import LOOP_KINDS, loop_factory
from ..net.loops import Run, both_loops
from ..net.streams import stream_pair
from ..waiting import turns


class Message(HTTPMessageDelegate):
    """Notes what it is told. `answer`: called at the end of the message; `fail`: the method that raises."""

    def __init__(self, answer: Any = None, fail: str = "", error: Any = None) -> None:
        self.lines: list[tuple[Any, ...]] = []
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.ends: list[str] = []
        self.answer, self.fail, self.error = answer, fail, error or ValueError("on purpose")

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Any:
        self.lines.append(tuple(start_line))
        self.headers = dict(headers)
        return self._failing("headers_received")

    def data_received(self, chunk: bytes) -> Any:
        self.pieces.append(chunk)
        return self._failing("data_received")

    def finish(self) -> None:
        self.ends.append("finish")
        if self.fail == "finish":
            raise self.error
        if self.answer is not None:
            self.answer()

    def on_connection_close(self) -> None:
        self.ends.append("closed")
        if self.fail == "on_connection_close":
            raise self.error

    def _failing(self, name: str) -> Any:
        if self.fail == name:
            raise self.error
        return self._later() if self.fail == name + " later" else None

    async def _later(self) -> None:
        await asyncio.sleep(0)
        raise self.error


def request(method: str = "GET", path: str = "/") -> RequestStartLine:
    return RequestStartLine(method, path, "HTTP/1.1")


OK = ResponseStartLine("HTTP/1.1", 200, "OK")


@both_loops
def test_two_ends_of_a_connection(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (one, other):
            for content in (b"", b"x", b"y" * 300_000):
                server, client = HTTP1Connection(other, False), HTTP1Connection(one, True)

                def answer(server: HTTP1Connection = server, content: bytes = content) -> None:
                    server.write_headers(OK, HTTPHeaders({"X-A": "b"}), content[:1])
                    server.write(content[1:])
                    server.finish()

                asked, answered = Message(answer), Message()
                client.write_headers(request("POST", "/path"), HTTPHeaders({"Host": "x"}), content[:1])
                client.write(content[1:])
                client.finish()
                both = await asyncio.gather(client.read_response(answered), server.read_response(asked))
                assert all(both)
                assert asked.lines == [("POST", "/path", "HTTP/1.1")]
                assert asked.headers == {"Host": "x", "Transfer-Encoding": "chunked"}
                assert answered.lines == [("HTTP/1.1", 200, "OK")]
                assert answered.headers == {"X-A": "b", "Transfer-Encoding": "chunked"}
                assert asked.body == answered.body == content
                assert asked.ends == answered.ends == ["finish"]

    run(main())


@both_loops
def test_one_connection_for_several_messages(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            client = HTTP1Connection(stream, True)
            for number in range(3):
                client.write_headers(request(path=f"/{number}"), HTTPHeaders({"Host": "x"}))
                client.finish()
                assert b"GET /%d HTTP/1.1\r\n" % number in await peer.read_until(b"\r\n\r\n")
            # All three answers at once: each goes to its own reader.
            peer.write(b"".join(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % n for n in range(3)))
            for number in range(3):
                message = Message()
                assert await client.read_response(message)
                assert message.body == b"%d" % number

    run(main())


@both_loops
def test_informational_answers_and_the_end_of_the_stream(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            peer.write(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\n\r\nhello")
            peer.close()
            message = Message()
            assert not await HTTP1Connection(stream, True).read_response(message)
            assert [line[1] for line in message.lines] == [103, 200]
            assert (message.body, message.ends) == (b"hello", ["finish"])

    run(main())


@both_loops
@pytest.mark.parametrize("method", ["HEAD", "CONNECT"])
def test_answers_without_content(run: Run, method: str) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            client = HTTP1Connection(stream, True)
            client.write_headers(request(method, "x:1"), HTTPHeaders({"Host": "x"}))
            client.finish()
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntunnel")
            message = Message(client.detach)
            assert not await client.read_response(message)
            assert (message.body, message.ends) == (b"", ["finish"])
            assert await stream.read_bytes(6) == b"tunnel"

    run(main())


@both_loops
def test_detach_gives_back_what_was_not_used(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            client = HTTP1Connection(stream, True)
            peer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nother protocol")
            detached: list[IOStream] = []
            message = Message()
            message.headers_received = lambda *_: detached.append(client.detach())  # type: ignore[method-assign]
            assert not await client.read_response(message)
            assert message.ends == []
            assert detached == [stream]
            assert await stream.read_bytes(14) == b"other protocol"
            with pytest.raises(StreamClosedError):
                client.detach()
            with pytest.raises(StreamClosedError):
                await client.write(b"x")

    run(main())


@both_loops
@pytest.mark.parametrize("fail", ["headers_received", "data_received", "finish", "data_received later"])
def test_delegates_that_fail(run: Run, caplog: pytest.LogCaptureFixture, fail: str) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            message = Message(fail=fail)
            assert await HTTP1Connection(stream, True).read_response(message) is False
            assert message.ends[-1] == "closed"
            assert stream.closed()

    run(main())
    assert "Uncaught exception" in caplog.text
    assert "on purpose" in caplog.text


@both_loops
def test_a_delegate_that_finds_the_message_malformed(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        for fail in ("headers_received", "headers_received later"):
            async with stream_pair() as (stream, peer):
                peer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                message = Message(fail=fail, error=HTTPInputError("not like this"))
                assert not await HTTP1Connection(stream, False, context="him").read_response(message)
                assert await peer.read_until_close() == b"HTTP/1.1 400 Bad Request\r\n\r\n"

    run(main())
    assert caplog.messages == ["Malformed HTTP message from him: not like this"] * 2


@both_loops
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfooXX", "improperly terminated chunk"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "Content-Length too long"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 9, "Body too long"),
        (b"SSH-2.0\r\n", "malformed status line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1", None),
        (b"", None),
    ],
)
def test_what_is_wrong_with_answers(
    run: Run, caplog: pytest.LogCaptureFixture, data: bytes, said: str | None
) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with stream_pair() as (stream, peer):
            peer.write(data)
            peer.close()
            message = Message(fail="on_connection_close")
            params = HTTP1ConnectionParameters(max_body_size=8)
            assert not await HTTP1Connection(stream, True, params).read_response(message)
            assert message.ends == ["closed"]

    run(main())
    assert (said in caplog.messages[0]) if said else "Malformed" not in caplog.text


@both_loops
def test_deadlines(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with stream_pair() as (stream, _):
            params = HTTP1ConnectionParameters(header_timeout=0.01)
            message = Message()
            assert not await HTTP1Connection(stream, True, params).read_response(message)
            assert message.ends == ["closed"]
        async with stream_pair() as (stream, peer):
            connection = HTTP1Connection(stream, True)
            connection.set_body_timeout(0.01)
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
            assert not await connection.read_response(Message())

    run(main())
    assert caplog.messages == ["Timeout reading headers from None", "Timeout reading body from None"]


@both_loops
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_answers(run: Run, coding: str) -> None:
    content = b"compressed" * 1000
    packed = gzip.compress(content) if coding == "gzip" else zlib.compress(content)

    async def main() -> None:
        async with stream_pair() as (stream, peer):
            head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
            params = HTTP1ConnectionParameters(decompress=True, chunk_size=100)
            for limit in (len(content), 50):
                connection = HTTP1Connection(stream, True, params)
                connection.set_max_body_size(limit)
                peer.write(head % (coding.encode(), len(packed)) + packed)
                message = Message()
                assert await connection.read_response(message) == (limit > 50)
                assert "Content-Encoding" not in message.headers
                if limit > 50:
                    assert message.body == content
                    assert max(map(len, message.pieces)) == 100
                    assert message.headers["X-Consumed-Content-Encoding"] == coding

    run(main())


@both_loops
def test_a_client_waits_for_leave(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            server = HTTP1Connection(stream, False)
            message = Message()
            reading = asyncio.ensure_future(server.read_response(message))
            peer.write(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert await peer.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await peer.write(b"ok")
            await turns()
            assert message.body == b"ok"
            assert not reading.done()
            server.write_headers(OK, HTTPHeaders({"Content-Length": "0"}))
            server.finish()
            assert await reading

    run(main())


@both_loops
@pytest.mark.parametrize(
    ("asked", "headers", "answer", "keeps"),
    [
        (b"GET / HTTP/1.1", {"Content-Length": "2"}, b"Content-Length: 2\r\n\r\nok", True),
        (b"GET / HTTP/1.1", {}, b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        (b"HEAD / HTTP/1.1", {"Content-Length": "2"}, b"Content-Length: 2\r\n\r\n", True),
        (b"GET / HTTP/1.1", {"Connection": "close"}, b"", False),
        (
            b"GET / HTTP/1.1\r\nConnection: close",
            {"Content-Length": "2"},
            b"Connection: close\r\n\r\nok",
            False,
        ),
        (b"GET / HTTP/1.0", {}, b"\r\n\r\nok", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive", {"Content-Length": "2"}, b"Keep-Alive\r\n\r\nok", True),
    ],
)
def test_how_answers_are_framed(
    run: Run, asked: bytes, headers: dict[str, str], answer: bytes, keeps: bool
) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            server = HTTP1Connection(stream, False)

            def respond() -> None:
                server.write_headers(OK, HTTPHeaders(headers))
                server.write(b"ok")
                server.finish()

            peer.write(asked + b"\r\nHost: x\r\n\r\n")
            assert await server.read_response(Message(respond)) == keeps
            assert stream.closed() != keeps
            stream.close()
            assert answer in await peer.read_until_close()

    run(main())


@both_loops
def test_what_cannot_be_written(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, _):
            for line in (
                request("GET", "/a b"),
                request("GET", "/\r\nX: y"),
                request("", "/"),
                request("G\x00"),
            ):
                with pytest.raises(HTTPOutputError, match="not a request line"):
                    HTTP1Connection(stream, True).write_headers(line, HTTPHeaders())
            for length in ("+1", "1_0", "x", ""):
                with pytest.raises(HTTPOutputError, match="Content-Length"):
                    HTTP1Connection(stream, True).write_headers(
                        request("POST"), HTTPHeaders({"Content-Length": length})
                    )
            connection = HTTP1Connection(stream, True)
            connection.write_headers(request(), HTTPHeaders())
            with pytest.raises(HTTPOutputError, match="begun already"):
                connection.write_headers(request(), HTTPHeaders())
        async with stream_pair() as (stream, peer):
            connection = HTTP1Connection(stream, True)
            connection.write_headers(request("POST"), HTTPHeaders({"Content-Length": "2"}), b"1")
            with pytest.raises(HTTPOutputError, match="more data than Content-Length"):
                connection.write(b"23")
            assert stream.closed()
        async with stream_pair() as (stream, peer):
            connection = HTTP1Connection(stream, True)
            connection.write_headers(request("POST"), HTTPHeaders({"Content-Length": "2"}), b"1")
            with pytest.raises(HTTPOutputError, match="1 bytes less than Content-Length"):
                connection.finish()
            assert stream.closed()
            assert (await peer.read_until_close()).endswith(b"\r\n\r\n1")

    run(main())


@both_loops
def test_who_hears_of_the_end(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            connection = HTTP1Connection(stream, False)
            told: list[bool] = []
            message = Message(lambda: connection.set_close_callback(lambda: told.append(True)))
            peer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            reading = asyncio.ensure_future(connection.read_response(message))
            await turns()
            peer.close()
            assert not await reading
            assert told == [True]
            connection.close()
            connection.close()

    run(main())


@both_loops
def test_a_response_written_by_hand(run: Run) -> None:
    async def main() -> None:
        async with stream_pair() as (stream, peer):
            server = HTTP1Connection(stream, False)

            def respond() -> None:
                server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
                server.write(b"ok")
                server.finish()

            peer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not await server.read_response(Message(respond))
            assert await peer.read_until_close() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    run(main())


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_bodies_do_not_depend_on_how_they_are_cut(kind: str) -> None:
    async def one(pieces: list[bytes], cuts: list[int], chunk_size: int) -> None:
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        data += b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
        data += b"0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
        async with stream_pair(read_chunk_size=chunk_size) as (stream, peer):

            async def send() -> None:
                start = 0
                for cut in sorted(cut % len(data) for cut in cuts):
                    await peer.write(data[start:cut])
                    start = cut
                    await turns(3)
                await peer.write(data[start:])

            message, last = Message(), Message()
            params = HTTP1ConnectionParameters(chunk_size=chunk_size)
            connection = HTTP1Connection(stream, True, params)
            assert (await asyncio.gather(connection.read_response(message), send()))[0]
            assert message.body == b"".join(pieces)
            assert max(map(len, message.pieces), default=0) <= chunk_size
            assert await connection.read_response(last)
            assert last.lines[0][1] == 204

    with asyncio.Runner(loop_factory=loop_factory(kind)) as runner:

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(
            st.lists(st.one_of(st.binary(max_size=3), st.binary(max_size=2000)), max_size=20),
            st.lists(st.integers(0, 5000), max_size=4),
            st.sampled_from([1, 7, 1000, 65536]),
        )
        def check(pieces: list[bytes], cuts: list[int], chunk_size: int) -> None:
            runner.run(one(pieces, cuts, chunk_size))

        check()


def test_numbers_are_digits_and_nothing_else() -> None:
    assert parse_int("010") == 10
    assert parse_hex_int("fF") == 255
    for text in ("", "+1", "-1", "1_0", " 1", "1\n", "0x1", "\u0661"):
        with pytest.raises(ValueError, match="integer"):
            parse_int(text)
        with pytest.raises(ValueError, match="integer"):
            parse_hex_int(text)


def test_chunks_or_not() -> None:
    assert not is_transfer_encoding_chunked(HTTPHeaders())
    assert is_transfer_encoding_chunked(HTTPHeaders({"transfer-encoding": "Chunked"}))
    with pytest.raises(HTTPInputError, match="Unsupported Transfer-Encoding gzip"):
        is_transfer_encoding_chunked(HTTPHeaders({"Transfer-Encoding": "gzip"}))
    with pytest.raises(HTTPInputError, match="both"):
        is_transfer_encoding_chunked(HTTPHeaders({"Transfer-Encoding": "chunked", "Content-Length": "1"}))
