"""Calls that block: which, where, and through what."""

from __future__ import annotations

from pathlib import Path

import pytest

from .marked import holds

pytestmark = pytest.mark.one_build


def test_coroutines_handlers_protocols_and_callbacks_run_in_the_loop(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import asyncio, functools, time
        from tornado import gen, ioloop, web, websocket

        async def main():
            time.sleep(1)  #! EW201

        @gen.coroutine
        def old():
            time.sleep(1)  #! EW201
            yield gen.sleep(1)

        class Page(web.RequestHandler):
            def initialize(self):
                time.sleep(1)  #! EW201
            def prepare(self):
                time.sleep(1)  #! EW201
            def post(self):
                time.sleep(1)  #! EW201
            def on_finish(self):
                time.sleep(1)  #! EW201
            def data_received(self, chunk):
                time.sleep(1)  #! EW201
            def helper_that_nobody_calls(self):
                time.sleep(1)

        class Chat(websocket.WebSocketHandler):
            def on_message(self, message):
                time.sleep(1)  #! EW201
            def on_pong(self, data):
                time.sleep(1)  #! EW201

        class Lines(asyncio.Protocol):
            def data_received(self, data):
                time.sleep(1)  #! EW201

        def tick(seconds):
            time.sleep(seconds)  #! EW201

        class Service:
            def start(self, loop):
                loop.call_later(1, self.beat)
                loop.call_soon(lambda: time.sleep(1))  #! EW201
                ioloop.PeriodicCallback(functools.partial(tick, 1), 100).start()
            def beat(self):
                time.sleep(1)  #! EW201
        """,
    )


def test_what_runs_elsewhere_may_block(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import asyncio, time, requests, http.server
        from tornado import web
        from tornado.concurrent import run_on_executor

        def in_a_thread():
            time.sleep(1)

        time.sleep(1)

        class Page(web.RequestHandler):
            async def get(self):
                def job():
                    time.sleep(1)
                await asyncio.to_thread(time.sleep, 1)  #! EW301
                await self.pool.run(job)
                await self.pool.run(lambda: time.sleep(1))
                await asyncio.to_thread(in_a_thread)  #! EW301
            @run_on_executor
            def post(self):
                time.sleep(1)

        class Plain(http.server.BaseHTTPRequestHandler):
            def get(self):
                time.sleep(1)

        class Unrelated:
            def get(self):
                time.sleep(1)

        async def shadows(time):
            time.sleep(1)

        async def awaits():
            from trio import sleep
            await sleep(1)
            time.sleep(0)
        """,
    )


def test_names_are_followed(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        import time as clock
        from time import sleep as nap
        import tornado.web as w
        from eyewall.web import RequestHandler
        from eyewall import tornado as t
        import package.tools
        from package import wait
        from package.inner import *
        pause = nap

        class A(w.RequestHandler):
            def get(self):
                clock.sleep(1)  #! EW201
                nap(1)  #! EW201
                pause(1)  #! EW201

        class B(RequestHandler):
            def get(self):
                from time import sleep
                sleep(1)  #! EW201

        class C(A):
            def post(self):
                package.tools.wait(1)  #! EW201
                wait(1)  #! EW201
                doze(1)  #! EW201

        class D(t.web.RequestHandler):
            def get(self):
                nap(1)  #! EW201
        """,
        **{
            "package/__init__": "from .tools import wait\n",
            "package/tools": "from time import sleep as wait\n",
            "package/inner": "from time import sleep as doze\n",
            "package/more": """
            from ..package.tools import wait
            from . import tools

            async def main():
                tools.wait(1)  #! EW201
            """,
            "other": """
            from app import C

            class E(C):
                def get(self):
                    self.load()  #! EW201
                def load(self):
                    import time
                    time.sleep(1)
            """,
        },
    )


def test_through_helpers(tmp_path: Path) -> None:
    report = holds(
        tmp_path,
        app="""
        import time
        from tornado.web import RequestHandler
        import tools

        def here():
            time.sleep(1)

        class Model:
            def __init__(self):
                time.sleep(1)
            def load(self):
                time.sleep(1)
            @staticmethod
            def find():
                time.sleep(1)

        class Page(RequestHandler):
            model: Model
            def get(self):
                here()  #! EW201
                tools.there()  #! EW201
                self.mine()  #! EW201
                model = Model()  #! EW201
                model.load()  #! EW201
                Model.find()  #! EW201
                self.model.load()  #! EW201
                tools.through()  #! EW201
                tools.generator()
                tools.cached()
                round_and_round()
            def mine(self):
                time.sleep(1)

        def round_and_round():
            round_and_round()
        """,
        tools="""
        import contextlib, time

        def there():
            time.sleep(1)

        def through():
            there()

        def generator():
            time.sleep(1)
            yield

        @some.decorator
        def cached():
            time.sleep(1)
        """,
    )
    [there] = [each for each in report.problems if "via there()" in each.message]
    assert f"via there() at {tmp_path}/tools.py:5" in there.message
    assert [(each.spot.line, each.message) for each in there.related] == [(5, "time.sleep() is called here")]
    [through] = [each for each in report.problems if "via through()" in each.message]
    assert "via through() and there()" in through.message
    assert through.spot.line > there.spot.line
    assert [each.message for each in through.related] == [
        "there() is called here",
        "time.sleep() is called here",
    ]


def test_a_verb_that_is_plain_is_told_to_become_a_coroutine(tmp_path: Path) -> None:
    report = holds(
        tmp_path,
        """
        import time
        from tornado.web import RequestHandler

        class Page(RequestHandler):
            def get(self):
                time.sleep(1)  #! EW201
            async def post(self):
                time.sleep(1)  #! EW201
        """,
    )
    first, second = report.problems
    assert "Page.get has to become a coroutine" in first.advice
    assert "become" not in second.advice
    assert "await asyncio.sleep" in second.advice


@pytest.mark.parametrize(
    ("rule", "imports", "call"),
    [
        ("EW202", "import requests", "requests.get('/', timeout=1)"),
        ("EW202", "import requests", "requests.Session().post('/', timeout=1)"),
        ("EW202", "from urllib.request import urlopen", "urlopen('/', timeout=1)"),
        ("EW202", "import httpx", "httpx.Client().get('/')"),
        ("EW202", "from tornado.httpclient import HTTPClient", "HTTPClient()"),
        ("EW203", "import subprocess", "subprocess.run(['ls'])"),
        ("EW203", "from subprocess import Popen", "Popen(['ls']).communicate()"),
        ("EW203", "import os", "os.system('ls')"),
        ("EW203", "import os", "os.waitpid(1, 0)"),
        ("EW204", "import sqlite3", "sqlite3.connect('x')"),
        ("EW204", "import psycopg2", "psycopg2.connect('x')"),
        ("EW204", "import redis", "redis.Redis().get('x')"),
        ("EW205", "", "open('x')"),
        ("EW205", "from pathlib import Path", "Path('x').read_text()"),
        ("EW205", "import shutil", "shutil.copy('x', 'y')"),
        ("EW206", "import socket", "socket.create_connection(('x', 1))"),
        ("EW206", "import socket", "socket.getaddrinfo('x', 1)"),
        ("EW206", "import socket", "socket.socket().recv(1)"),
        ("EW206", "import smtplib", "smtplib.SMTP('x')"),
        ("EW207", "import threading", "threading.Thread().join()"),
        ("EW207", "import threading", "threading.Event().wait(5)"),
        ("EW207", "import queue", "queue.Queue().get()"),
        ("EW207", "from concurrent.futures import ThreadPoolExecutor as T", "T(1).submit(f).result()"),
        ("EW207", "import asyncio", "asyncio.run_coroutine_threadsafe(f, loop).result()"),
        ("EW207", "import asyncio", "asyncio.get_event_loop().run_until_complete(f)"),
        ("EW207", "import concurrent.futures", "concurrent.futures.wait([f])"),
        ("EW207", "", "input()"),
    ],
)
def test_calls_that_block(tmp_path: Path, rule: str, imports: str, call: str) -> None:
    holds(tmp_path, f"{imports}\n\nasync def main(f, loop):\n    x = {call}  #! {rule}\n")


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("import os", "os.waitpid(1, os.WNOHANG)"),
        ("import queue", "queue.Queue().get(block=False)"),
        ("import queue", "queue.Queue().get_nowait()"),
        ("import threading", "threading.Event().wait(0)"),
        ("import subprocess", "subprocess.Popen(['ls']).poll()"),
        ("import socket", "socket.socket().close()"),
        ("import socket", "socket.getaddrinfo('::1', 1, flags=socket.AI_NUMERICHOST)"),
        ("import asyncio", "asyncio.Queue().get_nowait()"),
        ("import asyncio", "asyncio.get_running_loop().create_future()"),
        ("", "open('/proc/self/stat')"),
        ("", "loop.open('x')"),
        ("import sqlite3", "sqlite3.Row"),
    ],
)
def test_calls_that_do_not_block(tmp_path: Path, imports: str, call: str) -> None:
    holds(tmp_path, f"{imports}\n\nasync def main(loop):\n    x = {call}\n")


def test_objects_that_are_kept_somewhere(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        import sqlite3, socket, requests, threading
        from concurrent.futures import Future
        from store import database

        session = requests.Session()

        class Service:
            shared = requests.Session()
            def __init__(self, thread: threading.Thread, either, future: "Future[int] | None"):
                self.db = sqlite3.connect("x")
                self.thread = thread
                self.future = future
                self.either = requests.Session()
                self.either = either
            async def run(self):
                self.db.execute("x").fetchall()  #! EW204
                session.get("/", timeout=1)  #! EW202
                self.shared.get("/", timeout=1)  #! EW202
                self.thread.join()  #! EW207
                self.either.get("/")
                database.execute("x")  #! EW204
                with requests.Session() as other:
                    other.get("/", timeout=1)  #! EW202

        def make() -> requests.Session:
            return session

        async def more(future: Future, thread=None):
            make().get("/", timeout=1)  #! EW202
            future.result()  #! EW207
            future = wrap(future)
        """,
        store="""
        import sqlite3
        database = sqlite3.connect("x")
        """,
    )


def test_a_future_that_is_done_is_not_waited_for(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(1)

        async def awaited(job):
            future = pool.submit(job)
            await asyncio.wrap_future(future)
            return future.result()

        async def asked(job):
            future = pool.submit(job)
            return future.result() if future.done() else None

        async def of_asyncio(job):
            task = asyncio.ensure_future(job)
            await asyncio.wait([task])
            return task.result()
        """,
    )


def test_sockets_that_do_not_block(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import socket

        async def main():
            sock = socket.socket()
            sock.setblocking(False)
            sock.recv(1)
        """,
    )


def test_a_with_statement_waits_for_its_executor(tmp_path: Path) -> None:
    holds(
        tmp_path,
        """
        import asyncio, threading
        from concurrent.futures import ThreadPoolExecutor

        lock = threading.Lock()

        async def main(loop, job):
            with ThreadPoolExecutor(2) as pool:  #! EW207
                await loop.run_in_executor(pool, job)
            with lock:  #! EW208
                await asyncio.sleep(1)
            with lock:
                job()
            async with asyncio.Lock():
                await asyncio.sleep(1)
        """,
    )


def test_paths_below_paths(tmp_path: Path) -> None:
    holds(
        tmp_path,
        app="""
        from pathlib import Path
        ROOT = Path("/srv")

        async def save(name, data, share):
            (ROOT / name).write_bytes(data)  #! EW205
            target = ROOT.parent / "log" / name
            target.write_text(data)  #! EW205
            (name / share).write_text(data)
        """,
    )
