"""The page 'Break it': each button leads to the line that is at fault, and nothing is left of it."""

from __future__ import annotations

import ast
import asyncio
import faulthandler
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import axe_core_python
import pytest
from selenium.webdriver.common.keys import Keys

from eyewall.cli.demo.breaking.breaker import Breaker
from eyewall.cli.demo.breaking.catalogue import FAULTS
from eyewall.cli.demo.breaking.fault import DIRECTORY, Fault
from eyewall.cli.demo.breaking.shop import Shop
from tests.conftest import LOOP_KINDS

from .browser import PHONE, Browser
from .site import PATIENCE, Site, Visitor
from .waves import WAVES

ROOT = Path(__file__).parents[3]
IMAGE = ROOT / "docs" / "images" / "demo-breakit.png"
WIDE = (1600, 1000)
#: Seconds for the longest of a wave, on a machine that does much else.
LONG = 90.0
AXE = Path(axe_core_python.__file__).with_name("axe.min.js")

pytestmark = [pytest.mark.timeout(420), pytest.mark.one_build]


@pytest.fixture
def event_loop_kind() -> str:
    """What is asked of the demo without its doctor is above the loop."""
    return LOOP_KINDS[-1]


# -- what is there ------------------------------------------------------------------------------------------


def test_each_file_is_a_button() -> None:
    assert sorted(FAULTS) == sorted(path.stem for path in DIRECTORY.glob("[a-z]*.py"))
    assert sorted(name for wave in WAVES for name in wave) == sorted(FAULTS)
    titles = [fault.title for fault in FAULTS.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_a_fault_says_what_it_is_and_shows_no_mark(fault: Fault) -> None:
    assert fault.summary.endswith(".")
    assert fault.lines
    marked = (DIRECTORY / f"{fault.name}.py").read_text().splitlines()
    shown = fault.source.splitlines()
    assert len(shown) == len(marked)
    for number, line in enumerate(shown, 1):
        assert marked[number - 1].startswith(line)
        assert "finding:" not in line
        assert "noqa" not in line
    # A statement of one line, so that each version of Python gives it the same number.
    starts = {node.lineno for node in ast.walk(ast.parse(fault.source)) if hasattr(node, "lineno")}
    assert set(fault.lines) <= starts
    pages = (ROOT / "docs" / "doctor").glob("*.md")
    assert any(f"| `{fault.rule}` |" in page.read_text() for page in pages)


# -- who may --------------------------------------------------------------------------------------------------


def test_it_breaks_nothing_where_others_can_reach_it(visitor: Visitor) -> None:
    page = visitor.ask("GET", "/break").text
    assert "The buttons are off." in page
    assert "--allow-break" in page
    answer = visitor.ask("POST", "/api/break/forgotten")
    assert answer.status == 403
    assert visitor.ask("GET", "/api/break").json == {"running": {}, "found": {}}


def test_only_a_page_of_the_demo_can_press(breaking: Site) -> None:
    stranger = Visitor(breaking)
    assert stranger.ask("POST", "/api/break/forgotten").status == 403
    assert stranger.ask("DELETE", "/api/break/forgotten").status == 403
    visitor = stranger.arrive()
    assert visitor.ask("POST", "/api/break/nothing").status == 404
    assert visitor.ask("POST", "/api/break/forgotten").status == 202
    assert visitor.ask("POST", "/api/break/forgotten").status == 409
    assert list(visitor.ask("GET", "/api/break").json["running"]) == ["forgotten"]
    assert visitor.ask("DELETE", "/api/break/forgotten").status == 204
    deadline = time.monotonic() + PATIENCE
    while visitor.ask("GET", "/api/break").json["running"]:
        assert time.monotonic() < deadline
    assert visitor.ask("DELETE", "/api/break/forgotten").status == 204


def test_a_name_that_somebody_else_has_does_not_press(breaking: Site) -> None:
    visitor = Visitor(breaking).arrive()
    answer = visitor.ask("POST", "/api/break/forgotten", headers={"Host": f"evil.example:{breaking.port}"})
    assert answer.status == 403
    assert "address of this machine" in answer.json["error"]["message"]
    assert visitor.ask("GET", "/api/break").json["running"] == {}


def test_the_page_says_that_nobody_looks(breaking: Site) -> None:
    page = Visitor(breaking).arrive().ask("GET", "/break").text
    assert "Nobody looks." in page
    assert "<iframe" not in page


@pytest.fixture
def breaking(event_loop_kind: str, tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "breaking"
    folder.mkdir()
    site = Site(event_loop_kind, folder, may_break=True)
    try:
        yield site
    finally:
        site.close()


Run = Callable[[Coroutine[Any, Any, None]], None]


def test_only_its_customers_reach_the_shop(run: Run, tmp_path: Path) -> None:
    async def status(port: int, host: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /stock HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
        writer.close()
        return line.split()[1]

    async def main() -> None:
        shop = Shop(tmp_path)
        _, customers = shop.enter(FAULTS["locked"])
        assert await status(customers.port, "127.0.0.1") == b"404"
        assert await status(customers.port, "localhost") == b"404"
        assert await status(customers.port, customers.host) == b"200"
        await shop.close()
        assert "shop" not in sys.modules

    run(main())


def test_a_fault_that_nobody_finds_ends_after_its_time(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        breaker = Breaker(tmp_path, list)
        fault = Fault("notices", "Start tasks that never end", 0.5)
        assert breaker.press(fault)
        while breaker.running():
            await asyncio.sleep(0.01)
        # Its tasks are told to end; they do so at their next step.
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        # And what still runs at the end of the demo ends with it.
        assert breaker.press(FAULTS["notices"])
        await breaker.close()
        assert breaker.running() == {}

    run(main())


def test_what_came_too_late_for_its_end_ends_too(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        breaker = Breaker(tmp_path, list)
        fault = FAULTS["notices"]
        assert breaker.press(fault)
        module, customers = breaker.shop.enter(fault)
        while not module.background:
            await asyncio.sleep(0.01)
        # Customers who have left before the shop comes to what they have asked for.
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", customers.port)) as customer:
                customer.sendall(f"POST /notice HTTP/1.1\r\nHost: {customers.host}\r\n\r\n".encode())
        breaker.mend(fault)
        while breaker.running():
            await asyncio.sleep(0.01)
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await breaker.close()

    run(main())


# -- without a browser --------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_doctor_names_each_line_and_nothing_is_left(tmp_path: Path) -> None:
    """On asyncio's own loop; the demo that the browser sees is on the other one."""
    # pytest's own limit is for tests that do something themselves; this one waits, and has limits for that.
    faulthandler.cancel_dump_traceback_later()
    told = tmp_path / "pressed.json"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("EYEWALL_")},
        "EYEWALL_LOOP": "asyncio",
        "PYTHONPATH": os.pathsep.join((*sys.path, str(ROOT))),
        "PRESSED": str(told),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.demo.press_all"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    pressed = json.loads(told.read_text())
    found, shop = pressed["found"], pressed["shop"]
    missing = {name: pressed["took"][name] for name in FAULTS if name not in found}
    assert missing == {}, f"found: {[(each['rule'], each['place']) for each in pressed['findings']]}"
    for name, fault in FAULTS.items():
        assert found[name]["rule"] == fault.rule
        assert found[name]["place"]["file"] == f"{shop}/{name}.py"
        assert found[name]["place"]["line"] in fault.lines
    # The demo itself is blamed for nothing.
    findings = pressed["findings"]
    others = [each for each in findings if each["place"] and os.path.dirname(each["place"]["file"]) != shop]
    assert others == []
    # One that was seen when its line was past: which thread has kept the interpreter, say.
    assert {each["rule"] for each in findings if not each["place"]} <= {
        fault.rule for fault in FAULTS.values()
    }
    assert pressed["tasks"] == []
    # The listening socket, and what the doctor has for its own use.
    assert pressed["opened"] < 20
    assert pressed["modules"] == []


# -- in a browser -------------------------------------------------------------------------------------------


class Demo:
    """`eyewall demo`, with its dashboard beside it."""

    def __init__(self, folder: Path, *options: str) -> None:
        # stderr is full of tracebacks, as it would be.
        self.errors = (folder / "errors").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "eyewall", "demo", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.url = self._address().rstrip("/")
        self.dashboard = "" if "--no-dashboard" in options else self._address()

    def _address(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if b"http://" in line:
                return "http://" + line.decode().partition("http://")[2].strip()
        raise AssertionError(f"no address; it has said {self.said()}")

    def said(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode()

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        self.errors.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("demo"))
    try:
        yield demo
    finally:
        demo.end()


@pytest.fixture
def page(chromium: Browser, demo: Demo) -> Iterator[Browser]:
    """Chromium on the page. In the end nothing may have gone wrong in it, and nothing come from elsewhere."""
    chromium.begin(demo.url)
    chromium.resize(WIDE)
    try:
        yield chromium
    finally:
        chromium.page.switch_to.default_content()
        errors, asked = chromium.end()
    assert [error for error in errors if not any(part in error for part in chromium.expected)] == []
    own = (demo.url + "/", demo.dashboard.partition("/login")[0] + "/", "about:blank", "data:")
    assert [url for url in asked if not url.startswith(own)] == []


def state(page: Browser, name: str) -> str:
    return str(
        page.run("return document.querySelector(arguments[0]).dataset.state ?? ''", f"[data-fault={name}]")
    )


def press(page: Browser, name: str) -> None:
    # As a click does it, wherever the page is scrolled to.
    page.run("document.querySelector(arguments[0]).click()", f"[data-fault={name}] .press")


def told(page: Browser) -> str:
    """Returns all that the dashboard in the frame says."""
    page.page.switch_to.frame(page.find("#dashboard"))
    try:
        return str(page.run("return document.body.textContent"))
    finally:
        page.page.switch_to.default_content()


def wait_for(page: Browser, names: list[str]) -> list[str]:
    """Returns those that have not been found when they are all over."""
    deadline = time.monotonic() + LONG
    left = list(names)
    while left and time.monotonic() < deadline:
        states = {name: state(page, name) for name in left}
        if all(each in ("found", "missed") for each in states.values()):
            return [name for name, each in states.items() if each == "missed"]
        time.sleep(0.1)
    return left


@pytest.mark.long
def test_each_button_leads_to_its_line_in_the_dashboard(page: Browser, demo: Demo) -> None:
    faulthandler.cancel_dump_traceback_later()
    page.open("/break")
    page.until(lambda: page.text("#pulse") == "This server answers")
    page.until(lambda: "Nothing is wrong" in told(page), "the dashboard does not come")
    for wave in WAVES:
        left = list(wave)
        # One that others have hidden is pressed again, as a person would.
        for _ in range(2):
            for name in left:
                press(page, name)
            left = wait_for(page, left)
            if not left:
                break
            page.until(lambda left=left: all(not running(page, name) for name in left))
        assert not left, f"{left} not found; the demo has said {demo.said()[-5000:]}"
        if wave == ["sleeping"] and os.environ.get("EYEWALL_SCREENSHOTS"):
            photograph(page)
        for name in wave:
            fault = FAULTS[name]
            chosen = page.run(
                "document.querySelector(arguments[0]).click();"
                "return [document.querySelector('#says-summary code').textContent,"
                " document.querySelector('#says-place b').textContent]",
                f"[data-fault={name}] .choose",
            )
            assert chosen[0] == fault.rule
            file, _, line = chosen[1].rpartition(":")
            assert file.endswith(f"/shop/{name}.py")
            assert int(line) in fault.lines
            assert page.run("return document.querySelector('.named .culprit') !== null")
        for name in wave:
            fault = FAULTS[name]
            page.until(lambda fault=fault: shown(page, fault), f"the dashboard does not show {name}")
        page.until(lambda wave=wave: all(not running(page, name) for name in wave), "not all have ended")


def running(page: Browser, name: str) -> bool:
    return bool(
        page.run("return document.querySelector(arguments[0]).disabled", f"[data-fault={name}] .press")
    )


def shown(page: Browser, fault: Fault) -> bool:
    text = told(page)
    return fault.rule in text and any(f"{fault.name}.py:{line}" in text for line in fault.lines)


def photograph(page: Browser) -> None:
    page.until(lambda: shown(page, FAULTS["sleeping"]))
    page.page.save_screenshot(str(IMAGE))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(page: Browser, scheme: str) -> None:
    page.scheme(scheme)
    for size in (WIDE, PHONE):
        page.resize(size)
        page.open("/break#forgotten")
        page.until(lambda: page.text("#pulse") == "This server answers")
        press(page, "forgotten")
        page.until(lambda: state(page, "forgotten") == "found")
        page.run(AXE.read_text())
        found = page.page.execute_async_script("axe.run({ iframes: false }).then(arguments[0])")
        assert [
            f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found["violations"]
        ] == []
        width = page.run("return document.documentElement.scrollWidth")
        assert width <= size[0]
        page.until(lambda: not running(page, "forgotten"))


def test_keys_are_enough(page: Browser) -> None:
    page.open("/break")
    page.until(lambda: page.text("#pulse") == "This server answers")
    page.run("document.querySelector('[data-fault=forgotten] .choose').focus()")
    page.page.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.text("#told-title") == "Forget an await"
    page.page.switch_to.active_element.send_keys(Keys.TAB)
    pressed = page.page.switch_to.active_element
    assert pressed.get_attribute("aria-label") == "Break it: Forget an await"
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    pressed.send_keys(Keys.SPACE)
    page.until(lambda: state(page, "forgotten") == "found")
    page.until(lambda: not running(page, "forgotten"))


def test_the_first_page_leads_there_at_once(page: Browser) -> None:
    page.open("/")
    page.find(".hero .button").click()
    page.until(lambda: page.page.current_url.partition("#")[0].endswith("/break"))
    page.until(lambda: page.text("h1") == "Break it")


def test_without_a_dashboard_the_server_tells_itself(chromium: Browser, tmp_path: Path) -> None:
    demo = Demo(tmp_path, "--no-dashboard")
    try:
        chromium.begin(demo.url)
        chromium.open("/break")
        chromium.until(lambda: chromium.text("#pulse") == "This server answers")
        assert chromium.all("iframe") == []
        press(chromium, "forgotten")
        chromium.until(lambda: state(chromium, "forgotten") == "found")
        assert chromium.text("#says-place b").endswith(f"/forgotten.py:{FAULTS['forgotten'].lines[0]}")
        errors, _ = chromium.end()
        assert errors == []
    finally:
        demo.end()
