"""Request ids: taken over or made, in the context of what is done for a request, and in its response."""

import asyncio
import itertools
import os
import re
import socket
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.context import request_id
from eyewall.guard.profile import NATIVE
from eyewall.http import requestids
from eyewall.http.requestids import IdentifyingApp, new_request_id
from eyewall.http.server import HTTPServer

MADE = re.compile("[0-9a-f]{24}")


class Sink:
    """Answers with the ids that were seen in each step."""

    def __init__(self, exchange, block=b""):
        self.exchange = exchange
        self.block = block
        self.seen = [request_id.get()]

    async def _later(self):
        await asyncio.sleep(0)
        self.seen.append(request_id.get())

    def data(self, chunk):
        self.seen.append(request_id.get())
        return self._later()

    def end(self):
        self.seen.append(request_id.get())
        asyncio.get_running_loop().create_task(self._respond())

    async def _respond(self):
        await self._later()
        body = ",".join(map(str, self.seen)).encode()
        self.exchange.respond(200, "OK", self.block, body, len(body))

    def closed(self):
        self.closed_in.set_result(request_id.get())


class App:
    def __init__(self, block=b""):
        self.block = block
        self.sinks = []

    def begin(self, exchange):
        self.sinks.append(Sink(exchange, self.block))
        return self.sinks[-1]


@asynccontextmanager
async def serving(app):
    listening = socket.create_server(("127.0.0.1", 0))
    server = HTTPServer(app)
    server.app = IdentifyingApp(server.app, NATIVE.request_id_bytes)
    server.add_sockets([listening])
    try:
        yield listening.getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


def ask(*fields, body=b"", app=None):
    """Sends one request; returns the response's ids, and the ids seen while it was served."""

    async def main():
        async with serving(app or App()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            lines = [
                "POST / HTTP/1.1",
                "Host: x",
                "Connection: close",
                f"Content-Length: {len(body)}",
                *fields,
            ]
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            raw = await reader.read()
            writer.close()
            await writer.wait_closed()
        assert request_id.get() is None
        return raw

    head, _, seen = asyncio.run(main()).decode("latin-1").partition("\r\n\r\n")
    return re.findall("(?i)^x-request-id: (.*)\r?$", head, re.MULTILINE), seen.split(",")


def test_an_id_is_taken_over_and_seen_in_every_step():
    named, seen = ask("X-Request-ID: abc.DEF_1-2", body=b"content")
    assert [each.strip() for each in named] == ["abc.DEF_1-2"]
    assert seen == ["abc.DEF_1-2"] * 5


def test_an_id_is_made_where_there_is_none():
    named, seen = ask()
    assert MADE.fullmatch(named[0].strip())
    assert set(seen) == {named[0].strip()}


@pytest.mark.parametrize(
    "fields",
    [
        ["X-Request-ID: " + "a" * (NATIVE.request_id_bytes + 1)],
        ["X-Request-ID:"],
        ["X-Request-ID: a b"],
        ["X-Request-ID: a\tb"],
        ['X-Request-ID: "a"'],
        ["X-Request-ID: a%0ab"],
        ["X-Request-ID: \xe9"],
        ["X-Request-ID: a", "X-Request-ID: b"],
    ],
)
def test_what_is_not_harmless_is_replaced(fields):
    named, seen = ask(*fields)
    assert len(named) == 1
    assert MADE.fullmatch(named[0].strip())
    assert set(seen) == {named[0].strip()}


def test_the_longest_that_is_taken_over():
    name = "a" * NATIVE.request_id_bytes
    assert ask(f"X-Request-ID: {name}")[0][0].strip() == name


@pytest.mark.parametrize("block", [b"X-Request-Id: own\r\n", b"x-request-id: own\r\n"])
def test_the_application_has_the_last_word(block):
    assert [each.strip() for each in ask("X-Request-ID: abc", app=App(block))[0]] == ["own"]


def test_a_client_that_leaves():
    class Patient(App):
        def begin(self, exchange):
            sink = super().begin(exchange)
            sink.closed_in = asyncio.get_running_loop().create_future()
            began.set_result(None)
            return sink

    async def main():
        global began
        began = asyncio.get_running_loop().create_future()
        app = Patient()
        async with serving(app) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nX-Request-ID: left\r\nContent-Length: 5\r\n\r\n")
            await began
            writer.close()
            await writer.wait_closed()
            return await app.sinks[0].closed_in

    assert asyncio.run(main()) == "left"


def test_requests_on_one_connection_have_their_own():
    async def main():
        async with serving(App()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Request-ID: one\r\n\r\n" + last)
            raw = await reader.read()
            writer.close()
            await writer.wait_closed()
            return raw.decode()

    first, second = re.findall("X-Request-ID: (\\S+)", asyncio.run(main()))
    assert first == "one"
    assert MADE.fullmatch(second)


def test_ids_do_not_repeat_and_do_not_count():
    made = [new_request_id() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert all(MADE.fullmatch(each) for each in made)
    steps = {int(b[12:], 16) - int(a[12:], 16) for a, b in itertools.pairwise(made)}
    assert steps != {1}


def test_a_process_that_is_forked_makes_other_ids():
    reading, writing = os.pipe()
    mine = new_request_id()
    pid = os.fork()
    if pid == 0:
        os.write(writing, new_request_id().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writing)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    assert theirs[:12] != mine[:12]


@given(st.text(max_size=200))
def test_only_safe_characters_pass(text):
    if requestids._HARMLESS.fullmatch(text):
        assert text.isascii()
        assert not set(text) & set(" \t\r\n\"'<>&%;,\\/{}()[]`$")
