"""One process that serves: a real one, over real sockets."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import threading
from pathlib import Path

import pytest

from .program import (
    APP,
    PATIENCE,
    Program,
    connect,
    get,
    open_gate,
    read_response,
    request_bytes,
    until,
    write_app,
)

TLS = Path(__file__).parent.parent / "net" / "tls"
FREE = ("--port", "0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_app(tmp_path)
    return tmp_path


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_file_is_served_and_a_signal_ends_it(folder: Path, loop: str) -> None:
    with Program(folder, "app.py", *FREE, "--loop", loop) as program:
        port = program.port()
        status, headers, body = get(port)
        assert (status, int(body)) == (200, program.process.pid)
        assert headers["server"] == "Eyewall"
        assert program.stop() == 0
        assert "GET / (127.0.0.1)" in program.output
        assert "everything was finished" in program.output
        with pytest.raises(ConnectionRefusedError):
            connect(port)


def test_a_request_in_progress_is_finished_and_an_idle_connection_closed(folder: Path) -> None:
    with Program(folder, "app:app", *FREE) as program:
        port = program.port()
        with connect(port) as busy, connect(port) as idle:
            idle.sendall(request_bytes())
            assert read_response(idle)[0] == 200
            busy.sendall(request_bytes("/slow/gate"))
            program.wait_for("working")
            program.send(signal.SIGTERM)
            assert idle.recv(1) == b""
            open_gate(folder)
            status, headers, body = read_response(busy)
            assert (status, body, headers["connection"]) == (200, b"done", "close")
            assert busy.recv(1) == b""
        assert program.code() == 0


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_what_has_reached_the_machine_before_the_signal_is_answered(folder: Path, loop: str) -> None:
    # The server is stopped while requests are sent, on connections that it knows and on ones that it does
    # not: so all of them are there, unread, when the signal is noticed.
    with Program(folder, "app:app", *FREE, "--loop", loop) as program, contextlib.ExitStack() as open_sockets:
        port = program.port()
        known = [open_sockets.enter_context(connect(port)) for _ in range(20)]
        for sock in known:
            sock.sendall(request_bytes())
            read_response(sock)
        program.send(signal.SIGSTOP)
        new = [open_sockets.enter_context(connect(port)) for _ in range(40)]
        for sock in known + new:
            sock.sendall(request_bytes("/slow/0.05"))
        program.send(signal.SIGTERM)
        program.send(signal.SIGCONT)
        for sock in known + new:
            status, _, body = read_response(sock)
            assert (status, body) == (200, b"done")
            # Also where it was answered before the signal was noticed, and its response said nothing of that.
            assert sock.recv(1) == b""
        assert program.code() == 0


class Client(threading.Thread):
    """Sends requests on keep-alive connections, one after the other, until the server is gone."""

    def __init__(self, port: int, path: str = "/") -> None:
        super().__init__()
        self.port = port
        self.path = path
        self.answered = 0
        self.lost: list[str] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while self._connection():
                pass
        except BaseException as error:  # shown by the test
            self.error = error

    def _connection(self) -> bool:
        try:
            sock = connect(self.port)
        except ConnectionError:
            return False
        with sock:
            answered_here = 0
            while True:
                try:
                    sock.sendall(request_bytes(self.path))
                    status, headers, _ = read_response(sock)
                except (EOFError, ConnectionError):
                    # On a connection that was kept, this is the end that a client has to expect (RFC 9112
                    # section 9.3.1); a request that nothing came before must not be lost.
                    if not answered_here:
                        self.lost.append("a request on a new connection")
                    return True
                assert status == 200
                self.answered += 1
                answered_here += 1
                if headers.get("connection") == "close":
                    return True


def test_work_that_does_not_end_in_time_is_cut_off_and_named(folder: Path) -> None:
    with Program(folder, "app:app", *FREE, "--drain-timeout", "0.2") as program:
        with connect(program.port()) as sock:
            sock.sendall(request_bytes("/slow/60"))
            program.wait_for("working")
            assert program.stop() == 6
        assert "GET /slow/60 (127.0.0.1)" in program.output
        assert "not everything was finished" in program.output


@pytest.mark.parametrize(("timeout", "code"), [("20", 0), ("0.2", 6)])
def test_a_handler_that_goes_on_after_its_response_is_waited_for(
    tmp_path: Path, timeout: str, code: int
) -> None:
    late = """
class Late(RequestHandler):
    async def get(self):
        await self.finish("sent")
        logging.info("working")
        while not os.path.exists("gate"):
            await asyncio.sleep(0.005)
        logging.info("worked")
app.add_handlers(".*", [("/late", Late)])
"""
    write_app(tmp_path, APP + late)
    with Program(tmp_path, "app:app", *FREE, "--drain-timeout", timeout) as program:
        assert get(program.port(), "/late")[2] == b"sent"
        program.wait_for("working")
        program.send(signal.SIGTERM)
        program.wait_for("Draining")
        if code == 0:
            open_gate(tmp_path)
        assert program.code() == code
        assert ("worked" in program.output) == (code == 0)
        assert ("handlers broke off handler 1" in program.output) == (code != 0)


ASGI = """
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            logging.info("asgi %s", phase)
            await send({"type": f"lifespan.{phase}.complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        logging.info("end %s", (await receive())["code"])
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
    logging.info("working")
    while not os.path.exists("gate"):
        await asyncio.sleep(0.005)
    logging.info("worked")
"""


def test_work_of_an_asgi_application_after_its_response_is_waited_for(tmp_path: Path) -> None:
    write_app(tmp_path, APP + ASGI)
    with Program(tmp_path, "app:asgi", *FREE) as program:
        assert get(program.port())[2] == b"ok"
        program.wait_for("working")
        program.send(signal.SIGTERM)
        program.wait_for("Draining")
        open_gate(tmp_path)
        assert program.code() == 0
        assert program.output.index("worked") < program.output.index("asgi shutdown")


def test_websockets_of_an_asgi_application(tmp_path: Path) -> None:
    write_app(tmp_path, APP + ASGI)
    with Program(tmp_path, "app:asgi", *FREE) as program, connect(program.port()) as sock:
        upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        sock.sendall(request_bytes("/ws", *upgrade, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="))
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert sock.recv(7, socket.MSG_WAITALL) == b"\x81\x05hello"
        program.send(signal.SIGTERM)
        frame = sock.recv(4, socket.MSG_WAITALL)
        assert frame == b"\x88\x02" + (1001).to_bytes(2, "big")
        sock.sendall(bytes([0x88, 0x82, 0, 0, 0, 0]) + (1001).to_bytes(2, "big"))
        assert sock.recv(1) == b""
        assert program.code() == 0
        assert "end 1001" in program.output


@pytest.mark.parametrize("args", [(), ("--processes", "1")], ids=["alone", "supervised"])
def test_a_websocket_is_told_that_the_server_goes_away(tmp_path: Path, args: tuple[str, ...]) -> None:
    echo = """
from eyewall.web.websocket import WebSocketHandler
class Echo(WebSocketHandler):
    async def on_message(self, message):
        await asyncio.sleep(0)
        logging.info("working on %s", message)
    def on_close(self):
        logging.info("closed with %s", self.close_code)
app.add_handlers(".*", [("/ws", Echo)])
"""
    write_app(tmp_path, APP + echo)
    with Program(tmp_path, "app:app", *FREE, *args) as program, connect(program.port()) as sock:
        upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        sock.sendall(
            request_bytes("/ws", *upgrade, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "X-Request-ID: abc")
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"X-Request-ID: abc\r\n" in head
        sock.sendall(bytes([0x81, 0x81, 0, 0, 0, 0]) + b"m")
        program.wait_for(r"\(abc\) working on m")
        program.send(signal.SIGTERM)
        frame = sock.recv(2, socket.MSG_WAITALL)
        assert frame[0] == 0x88
        assert sock.recv(frame[1], socket.MSG_WAITALL)[:2] == (1001).to_bytes(2, "big")
        sock.sendall(bytes([0x88, 0x82, 0, 0, 0, 0]) + (1001).to_bytes(2, "big"))
        assert sock.recv(1) == b""
        assert program.code() == 0
        assert "(abc) closed with 1001" in program.output


def test_a_second_signal_ends_at_once(folder: Path) -> None:
    with Program(folder, "app:app", *FREE) as program, connect(program.port()) as sock:
        sock.sendall(request_bytes("/slow/60"))
        program.wait_for("working")
        program.send(signal.SIGINT)
        program.wait_for("Draining")
        assert program.stop(signal.SIGTERM) == 128 + signal.SIGTERM


def test_a_second_signal_reaches_a_server_whose_loop_is_blocked(tmp_path: Path) -> None:
    write_app(tmp_path, APP.replace("await asyncio.sleep", "time.sleep"))
    with Program(tmp_path, "app:app", *FREE) as program, connect(program.port()) as sock:
        sock.sendall(request_bytes("/slow/60"))
        program.wait_for("working")
        program.send(signal.SIGTERM)
        until(lambda: not pending(program.process.pid, signal.SIGTERM), "the first signal taken")
        assert program.stop(signal.SIGTERM) == 128 + signal.SIGTERM


def pending(pid: int, number: int) -> bool:
    """Whether a signal waits to be taken by a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, mask = line.partition(":")
        if name in ("SigPnd", "ShdPnd") and int(mask, 16) >> (number - 1) & 1:
            return True
    return False


def test_a_thread_that_does_not_end_is_left_behind_and_reported(tmp_path: Path) -> None:
    hang = "import threading\nthreading.Thread(target=threading.Event().wait, name='hanging').start()\n"
    quick = "import eyewall.cli.worker\neyewall.cli.worker._EXIT_GRACE = 0.2\n"
    write_app(tmp_path, APP + hang + quick)
    with Program(tmp_path, "app:app", *FREE) as program:
        program.port()
        assert program.stop() == 6
        assert "hanging" in program.output


def test_a_unix_socket_is_served_and_removed(folder: Path) -> None:
    path = folder / "app.sock"
    with Program(folder, "app:app", "--unix", str(path), "--unix-mode", "660") as program:
        program.wait_for(f"Listening on unix:{path}")
        assert path.stat().st_mode & 0o777 == 0o660
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(path))
            sock.sendall(request_bytes())
            assert read_response(sock)[0] == 200
        assert "http://" not in program.output
        assert program.stop() == 0
        assert not path.exists()


def test_a_socket_that_is_open_already(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        descriptor = str(listening.fileno())
        with Program(folder, "app:app", "--fd", descriptor, pass_fds=[listening.fileno()]) as program:
            assert program.port() == port
            assert get(port)[0] == 200
            assert program.stop() == 0


def test_tls_offers_http_1_1(folder: Path) -> None:
    cert, key = str(TLS / "cert.pem"), str(TLS / "key.pem")
    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Program(folder, "app:app", *FREE, "--tls-cert", cert, "--tls-key", key) as program:
        port = program.port()
        assert f"https://127.0.0.1:{port}" in program.output
        with context.wrap_socket(connect(port), server_hostname="localhost") as sock:
            assert sock.selected_alpn_protocol() == "http/1.1"
            sock.sendall(request_bytes("/slow/gate"))
            program.wait_for("working")
            program.send(signal.SIGTERM)
            program.wait_for("Draining")
            open_gate(folder)
            assert read_response(sock)[2] == b"done"
        assert program.code() == 0


def test_json_lines_carry_request_ids(folder: Path) -> None:
    with Program(folder, "app:app", *FREE, "--log-format", "json") as program:
        port = program.port()
        given = get(port, "/slow/0", "X-Request-ID: from-the-proxy")
        made = get(port, "/fail")
        unsafe = get(port, "/", "X-Request-ID: <script>")
        assert program.stop() == 0
    assert given[1]["x-request-id"] == "from-the-proxy"
    assert made[0] == 500
    ids = {made[1]["x-request-id"], unsafe[1]["x-request-id"]}
    assert len(ids) == 2
    assert "<script>" not in ids
    records = [json.loads(line) for line in program.lines]
    assert {record["pid"] for record in records} == {program.process.pid}
    by_id: dict[str | None, list[str]] = {}
    for record in records:
        by_id.setdefault(record.get("request_id"), []).append(record["logger"])
    assert by_id["from-the-proxy"] == ["root", "tornado.access"]
    assert by_id[made[1]["x-request-id"]] == ["tornado.application", "tornado.access"]
    assert by_id[unsafe[1]["x-request-id"]] == ["tornado.access"]


def test_ids_access_log_and_keep_alive_can_be_turned_off(folder: Path) -> None:
    off = ("--no-request-ids", "--no-access-log", "--no-keep-alive")
    with Program(folder, "app:app", *FREE, *off) as program:
        with connect(program.port()) as sock:
            sock.sendall(request_bytes("/", "X-Request-ID: abc"))
            _, headers, _ = read_response(sock)
            assert sock.recv(1) == b""
        assert program.stop() == 0
    assert "x-request-id" not in headers
    assert headers["connection"] == "close"
    assert "GET /" not in program.output


def test_limits_and_proxies_come_from_the_command_line_before_the_environment(folder: Path) -> None:
    env = {"EYEWALL_PORT": "1", "EYEWALL_LIMIT": "body_bytes=10 target_bytes=4K", "EYEWALL_XHEADERS": "1"}
    with Program(folder, "app:app", *FREE, env=env) as program:
        port = program.port()
        with connect(port) as sock:
            sock.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
        get(port, "/", "X-Real-Ip: 192.0.2.1")
        assert program.stop() == 0
        assert "GET / (192.0.2.1)" in program.output


def test_the_profile_of_tornado(folder: Path) -> None:
    with Program(folder, "app:app", *FREE, "--profile", "tornado") as program:
        assert get(program.port())[1]["server"].startswith("TornadoServer/")


@pytest.mark.parametrize("target", ["app", "serve"])
@pytest.mark.parametrize(("profile", "server"), [((), "TornadoServer"), (("--profile", "native"), "Eyewall")])
def test_one_limit_leaves_the_others_to_the_profile_of_the_program(
    tmp_path: Path, target: str, profile: tuple[str, ...], server: str
) -> None:
    other = """
import eyewall.tornado
from eyewall.tornado.web import Application, RequestHandler
class Hello(RequestHandler):
    def post(self):
        self.write("hello")
app = Application([("/", Hello)])
def serve(request):
    app(request)
"""
    write_app(tmp_path, other)
    with Program(
        tmp_path, f"app:{target}", "--no-factory", *FREE, *profile, "--limit", "body_bytes=4"
    ) as program:
        port = program.port()
        with connect(port) as sock:
            # In Tornado's profile, a length may come twice.
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody")
            if profile:
                assert sock.recv(65536).startswith(b"HTTP/1.1 400 ")
            else:
                status, headers, body = read_response(sock)
                assert (status, body) == (200, b"hello")
                assert headers["server"].startswith(server)
        with connect(port) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 413 " if profile else b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("def make_app():\n    return app\n", "app:make_app"),
        ("async def make():\n    await asyncio.sleep(0)\n    return app\n", "app:make"),
        ("def serve(request):\n    from eyewall.http.headers import HTTPHeaders\n"
         "    from eyewall.http.startline import ResponseStartLine\n"
         "    line = ResponseStartLine('', 200, 'OK')\n"
         "    request.connection.write_headers(line, HTTPHeaders({'Content-Length': '2'}), b'ok')\n"
         "    request.connection.finish()\n", "app:serve"),
        ("async def asgi(scope, receive, send):\n"
         "    if scope['type'] == 'lifespan':\n"
         "        await receive()\n"
         "        print('asgi started', file=sys.stderr)\n"
         "        await send({'type': 'lifespan.startup.complete'})\n"
         "        await receive()\n"
         "        print('asgi stopped', file=sys.stderr)\n"
         "        await send({'type': 'lifespan.shutdown.complete'})\n"
         "        return\n"
         "    logging.info('in asgi')\n"
         "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
         "    await send({'type': 'http.response.body', 'body': b'ok'})\n", "app:asgi"),
        ("def wsgi(environ, start_response):\n"
         "    logging.info('in wsgi')\n"
         "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
         "    return [b'ok']\n", "app:wsgi"),
    ],
    ids=["factory", "async factory", "function", "asgi", "wsgi"],
)  # fmt: skip
def test_whatever_can_be_served(tmp_path: Path, source: str, target: str) -> None:
    write_app(tmp_path, APP + source)
    with Program(tmp_path, target, *FREE) as program:
        status, headers, _ = get(program.port(), "/", "X-Request-ID: abc")
        assert (status, headers["x-request-id"]) == (200, "abc")
        assert program.stop() == 0
        if "asgi" in target:
            assert program.output.index("asgi started") < program.output.index("asgi stopped")
        if "in " in source:
            assert "(abc) in " in program.output


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["missing:app"], 3, ["no module 'missing'"]),
        (["app:aplication"], 3, ["no attribute 'aplication'", "Did you mean 'app'?"]),
        (["app:logging"], 3, ["module", "can't be served"]),
        (["broken:app"], 3, ["broken.py", "ZeroDivisionError"]),
        (["app:app", "--tls-cert", "missing.pem"], 5, ["missing.pem", "No such file"]),
        (["app:app", "--host", "no.such.host.invalid"], 4, ["no.such.host.invalid"]),
        (["app:app", "--limit", "body_byte=1"], 2, ["--limit", "body_bytes"]),
        (["app:app", "--tls-key", "key.pem"], 2, ["--tls-key", "--tls-cert"]),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_wrong_is_said(folder: Path, args: list[str], code: int, words: list[str]) -> None:
    write_app(folder, "app = 1 / 0\n", "broken.py")
    with Program(folder, *FREE, *args) as program:
        assert program.code() == code
        for word in words:
            assert word in program.output
        assert ("Traceback" in program.output) == (args == ["broken:app"])


def test_a_port_that_is_taken_and_by_whom(folder: Path) -> None:
    with Program(folder, "app:app", *FREE) as first:
        port = first.port()
        with Program(folder, "app:app", "--port", str(port)) as second:
            assert second.code() == 4
            assert f"port {port} is taken" in second.output
            assert f"(pid {first.process.pid})" in second.output
        assert get(port)[0] == 200


SHEDDING = """
from eyewall.guard import RequestLimit
from eyewall.guard.inventory import inventory
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler

class State(RequestHandler):
    def get(self):
        self.write({limit.name: dict(limit.state()) for limit in inventory.items("requests") if limit.gate.busy})

app = Application([("/", State)], request_limit=RequestLimit("own", 7))
"""


def test_shedding_adapts_where_the_command_line_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SHEDDING)
    with Program(tmp_path, "app.py", *FREE) as program:
        assert list(json.loads(get(program.port())[2])) == ["own"]
    options = ("--shed", "initial=30,target_lag=0.5", "--limit", "requests=40", "--limit", "request_queue=9")
    with Program(tmp_path, "app.py", *FREE, *options) as program:
        state = json.loads(get(program.port())[2])
        assert list(state) == ["adaptive"]
        assert (state["adaptive"]["most"], state["adaptive"]["queue"]) == (30, 9)
        assert "share" in state["adaptive"]


EXECUTORS = """
import json, os, threading
from eyewall.guard.executors import configure, executor
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler

configure("work", workers=7, queue=5)

class State(RequestHandler):
    def get(self):
        self.write(dict(executor("work").state()))

class Where(RequestHandler):
    async def get(self):
        self.write({"pid": await executor("work").run(os.getpid)})

class Hang(RequestHandler):
    def get(self):
        executor("work").submit(threading.Event().wait)

app = Application([("/", State), ("/where", Where), ("/hang", Hang)])
"""


def test_executors_are_what_the_command_line_says(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(EXECUTORS)
    with Program(tmp_path, "app.py", *FREE, "--executor", "work=workers=2") as program:
        state = json.loads(get(program.port())[2])
        assert (state["medium"], state["workers"], state["queue"]) == ("threads", 2, 5)
        assert program.stop() == 0
    with Program(tmp_path, "app.py", *FREE, "--executor", "work=processes,workers=2") as program:
        port = program.port()
        assert json.loads(get(port, "/where")[2])["pid"] != program.process.pid
        # The process of the executor ends as well, or this would wait for it.
        assert program.stop() == 0


def test_a_job_that_hangs_keeps_no_process_for_ever(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from eyewall.guard.executors import lifetime\nlifetime.EXIT_GRACE = 0.1\n" + EXECUTORS
    )
    with Program(tmp_path, "app.py", *FREE, "--drain-timeout", "0.1") as program:
        assert get(program.port(), "/hang")[0] == 200
        assert program.stop() == 6
        assert "still running: threading.Event.wait, running for" in program.output
