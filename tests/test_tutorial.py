"""The tutorial: its pages are followed, and what they deploy is deployed as far as a test can.

It is typed in the environment of the tests (`eyewall` and `python` are theirs), since the set-up is that of the start,
which `tests/docs/test_start.py` follows; and the Redis that it asks for is one that is started here.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

import eyewall
from eyewall.client import AsyncHTTPClient, HTTPRequest, websocket_connect
from tests.cli.deployed import lint, verify
from tests.cli.program import Program, until
from tests.cli.program import get as ask
from tests.docs.console import Reader, Step, commands, free_port
from tests.docs.pages import ROOT, fences
from tests.redisserver import RedisServer, redis_server

pytestmark = pytest.mark.one_build

STATES = ROOT / "examples" / "tutorial"
PAGES = sorted((ROOT / "docs" / "tutorial").glob("[0-9]*.md"))
LAST = STATES / "7-deployed"
SOURCES = str(Path(eyewall.__file__).parents[1])


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the commands `eyewall` and `python`, which are those of the tests."""
    return commands(tmp_path_factory.mktemp("bin"))


class Follower(Reader):
    """Has the whole of a state from the first block on that is an excerpt of it."""

    state: Path | None = None

    def take(self, fence: Any) -> None:
        state = STATES / Path(fence.mark).relative_to("examples/tutorial").parts[0]
        if state != self.state:
            self.state = state
            shutil.copytree(state, self.folder / "chat", dirs_exist_ok=True)


@pytest.mark.timeout(140)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_true(page: Path, tmp_path: Path, tools: Path, redis: RedisServer) -> None:
    """Followed by somebody who has the state that the pages before it lead to."""
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": SOURCES,
        "PYTHONDONTWRITEBYTECODE": "1",
        # That one is there by itself where Eyewall is installed; those of others take their time.
        "PYTEST_PLUGINS": "eyewall.doctor.pytestplugin",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        # The fault blocks for 0.6 s; a quarter of a second is not much on a machine that has other tests to run.
        "PYTEST_ADDOPTS": "-p no:cacheprovider --eyewall-doctor-threshold 0.4",
    }
    folder = tmp_path / "projects"
    folder.mkdir()
    with Follower(folder, STATES, replaced={"6379": str(redis.port)}, environment=environment) as reader:
        before = [state for earlier in PAGES[: PAGES.index(page)] for state in states(earlier)]
        if before:
            shutil.copytree(STATES / before[-1], folder / "chat")
            reader.do(Step("cd chat"), "before")
        reader.follow(page)
        reader.end_server()


def states(page: Path) -> list[str]:
    """The states that a page shows something of, in this order."""
    return [Path(fence.mark).parts[2] for fence in fences(page) if fence.mark]


def test_the_first_state_is_what_eyewall_new_makes(tmp_path: Path, tools: Path) -> None:
    subprocess.run(
        [tools / "eyewall", "new", "chat"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": SOURCES},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    made, kept = tmp_path / "chat", STATES / "1-project"
    assert {path: (made / path).read_text() for path in _files(made)} == {
        path: (kept / path).read_text() for path in _files(kept)
    }


def _files(folder: Path) -> list[Path]:
    return [
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def test_every_state_is_shown() -> None:
    assert {state for page in PAGES for state in states(page)} == {each.name for each in STATES.iterdir()}


# -- what is deployed ---------------------------------------------------------------------------------------


@contextmanager
def chat(folder: Path, *args: str, **environment: str) -> Iterator[Program]:
    """The last state, served."""
    env = {
        "PYTHONPATH": SOURCES,
        "CHAT_DATABASE": str(folder / "chat.db"),
        "CHAT_SECRET": "0123456789abcdef",
        **environment,
    }
    with Program(LAST, *args, env=env) as program:
        yield program
        assert program.stop() == 0, program.output


async def signed_in(root: str, name: str, **headers: str) -> dict[str, str]:
    """The headers of somebody who has signed in."""
    client = AsyncHTTPClient()
    page = await client.fetch(f"{root}/signin", headers=headers)
    token = re.search(rb'name="_xsrf" value="([^"]+)"', page.body)
    assert token is not None
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    response = await client.fetch(
        f"{root}/signin",
        method="POST",
        body=f"name={name}&password=secret&_xsrf={token[1].decode()}",
        headers={**headers, "Cookie": cookie},
        follow_redirects=False,
        raise_error=False,
    )
    assert response.code == 303
    return {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}


async def conversation(root: str, names: list[str]) -> None:
    """One of them speaks, and all hear it."""
    sockets = []
    for name in names:
        headers = await signed_in(root, name)
        sockets.append(
            await websocket_connect(HTTPRequest(root.replace("http", "ws") + "/socket", headers=headers))
        )
    await sockets[0].write_message("hello")
    for socket in sockets:
        assert await socket.read_message() == f'{{"who": "{names[0]}", "text": "hello"}}'
        socket.close()
        # Until it is closed: nothing is left to other tests.
        assert await socket.read_message() is None


def test_several_processes_are_one_room(tmp_path: Path, redis: RedisServer) -> None:
    with chat(tmp_path, "--port", "0", "--processes", "2", CHAT_REDIS=redis.url) as program:
        root = f"http://127.0.0.1:{program.port()}"
        # Each of the two has one of them, or more, but once in thirty times; and is right then as well.
        asyncio.run(conversation(root, ["ada", "bob", "eve", "joe", "kim", "sue"]))


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx, which `make peers` installs")
def test_behind_nginx(tmp_path: Path) -> None:
    front, back = free_port(), free_port()
    site = (LAST / "deploy" / "nginx.conf").read_text()
    site = site.replace("listen 80;", f"listen 127.0.0.1:{front};").replace(
        "127.0.0.1:8000", f"127.0.0.1:{back}"
    )
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = tmp_path / "nginx.conf"
    settings.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; worker_processes 1;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{site}}}\n"
    )
    with chat(tmp_path, "--port", str(back), "--xheaders") as program:
        program.port()
        nginx = subprocess.Popen(
            ["nginx", "-p", str(tmp_path), "-c", str(settings)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            until(lambda: _answers(front), "nginx serves")
            asyncio.run(conversation(f"http://127.0.0.1:{front}", ["ada", "bob"]))
            assert ask(front, "/health/livez")[0] == 404
            # The address is that of nginx's client, the id the one that nginx gave.
            assert "(127.0.0.1)" in program.output
            ids = set(re.findall(r"\(([0-9a-f]{32})\) 303 POST /signin", program.output))
            assert len(ids) == 2
        finally:
            nginx.terminate()
            _, said = nginx.communicate(timeout=30)
        assert nginx.returncode == 0, said


def _answers(port: int) -> bool:
    try:
        return ask(port, "/signin")[0] == 200
    except OSError:
        return False


def test_kubernetes_gets_its_answers(tmp_path: Path, redis: RedisServer) -> None:
    pod, service = yaml.safe_load_all((LAST / "deploy" / "kubernetes.yaml").read_text())
    [container] = pod["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert service["spec"]["ports"][0]["targetPort"] in ports
    assert service["spec"]["selector"] == pod["spec"]["template"]["metadata"]["labels"]
    program, verb, *options = container["command"]
    assert (program, verb) == ("eyewall", "run")
    # The one that is not among them is in eyewall.toml, which is in the image.
    assert "port = 8000" in (LAST / "eyewall.toml").read_text()
    options = [each.replace("=8001", "=0").replace("=*", "=127.0.0.1") for each in options]
    with chat(tmp_path, *options, "--port=0", "--log-format=text", CHAT_REDIS=redis.url) as served:
        probes = int(served.wait_for(r"Probes are answered at http://127\.0\.0\.1:(\d+)")[1])
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container[name]["httpGet"]
            assert probe["port"] in ports
            until(lambda path=probe["path"]: ask(probes, path)[0] == 200, name)
        served.port()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs Debian's package systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    verify(LAST / "deploy" / "chat.service", tmp_path)


def test_the_dockerfile_is_linted() -> None:
    lint(LAST / "Dockerfile")


def test_the_image_differs_from_that_of_a_new_project_by_its_storage() -> None:
    ours = (LAST / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    made = (STATES / "1-project" / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    added = [line for line in ours if line not in made]
    assert added == [
        "RUN pip install --no-cache-dir --find-links wheels .  && useradd --uid 10001 --no-create-home chat "
        " && install --directory --owner chat /data",
        "ENV CHAT_DATABASE=/data/chat.db",
        "VOLUME /data",
    ]
