"""Chromium without a window, for tests: Debian's packages `chromium` and `chromium-driver`, and `selenium`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

T = TypeVar("T")

PATIENCE = 30.0
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--lang=en-US",
)
DESKTOP = (1280, 860)
PHONE = (390, 844)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(
            f"{name} is not installed, which the tests of the demo need: apt-get install chromium chromium-driver"
        )
    return found


class Browser:
    """One Chromium for many tests, perhaps with more flags. `page` is the driver, for what is not wrapped here."""

    def __init__(self, profile: Path, *flags: str) -> None:
        options = ChromeOptions()
        options.binary_location = program("chromium")
        for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # Given by name: otherwise Selenium looks for drivers in the net.
        self.page = Chrome(options=options, service=Service(program("chromedriver")))
        self.first = self.page.current_window_handle

    def quit(self) -> None:
        self.page.quit()

    # -- a test's beginning and end ---------------------------------------------------------------------

    def begin(self, url: str) -> None:
        """Forgets everything and visits `url` from now on."""
        self.url = url
        #: Parts of messages on the console that the test is about.
        self.expected: list[str] = []
        self.forget()
        self.resize(DESKTOP)
        self.scheme("light")
        self.page.get_log("browser")
        self.page.get_log("performance")

    def end(self) -> tuple[list[str], list[str]]:
        """Closes what was opened. Returns the errors on the console, and the addresses that were asked for."""
        errors = [
            entry["message"]
            for entry in self.page.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]
        events = [json.loads(entry["message"])["message"] for entry in self.page.get_log("performance")]
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        asked += [event["params"]["url"] for event in events if event["method"] == "Network.webSocketCreated"]
        for handle in self.page.window_handles:
            if handle != self.first:
                self.page.switch_to.window(handle)
                self.page.close()
        self.page.switch_to.window(self.first)
        # Leaves the page, so that nothing of it goes on.
        self.page.get("about:blank")
        return errors, asked

    def forget(self) -> None:
        """Forgets the cookies: whoever comes next is somebody else."""
        self.command("Network.clearBrowserCookies")

    # -- the window -------------------------------------------------------------------------------------

    def command(self, name: str, **parameters: Any) -> Any:
        """Sends a command of the DevTools protocol."""
        return self.page.execute_cdp_cmd(name, parameters)

    def network(self, offline: bool = False, upload: int = -1) -> None:
        """Has the network be gone, or take so many bytes a second; by default as it is."""
        self.command(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=upload,
        )

    def resize(self, size: tuple[int, int]) -> None:
        width, height = size
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=size == PHONE,
        )

    def scheme(self, name: str) -> None:
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, path: str) -> None:
        self.page.get(self.url + path)

    def window(self) -> str:
        """Opens a window, and returns the one before."""
        before: str = self.page.current_window_handle
        self.page.switch_to.new_window("window")
        self.resize(DESKTOP)
        return before

    def use(self, handle: str) -> None:
        self.page.switch_to.window(handle)

    # -- the page ---------------------------------------------------------------------------------------

    def find(self, selector: str) -> WebElement:
        return self.page.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.page.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Returns the text of an element, also where it is scrolled away; empty where there is none."""
        found = self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
        return str(found).strip()

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent.trim())"
        return list(self.run(script, selector))

    def run(self, script: str, *args: Any) -> Any:
        return self.page.execute_script(script, *args)

    def until(self, condition: Callable[[], T], what: str = "") -> T:
        """Waits until `condition` is true, and returns what it did."""
        return WebDriverWait(self.page, PATIENCE, 0.05).until(lambda _: condition(), what)
