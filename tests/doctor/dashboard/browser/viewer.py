"""Chromium as somebody uses it who looks at the dashboard."""

from __future__ import annotations

import base64
from importlib.resources import files
from pathlib import Path
from typing import Any

from selenium.webdriver.common.keys import Keys

from tests.cli.demo.browser import Browser

#: The narrowest that has to do.
PHONE = (360, 740)
AXE = files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
WIDE = """
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    return [...document.body.querySelectorAll("*")]
      .filter((each) => each.getBoundingClientRect().right > room + 1)
      .map((each) => `${each.tagName} ${each.className}`);
"""


class Viewer(Browser):
    """`Browser`, and what the dashboard has."""

    def phone(self) -> None:
        width, height = PHONE
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True
        )

    def view(self, name: str) -> None:
        """Goes to a view by its address, and waits until it is there."""
        self.run("location.hash = arguments[0]", f"#/{name}")
        self.until(lambda: self.all(f".view-{name.partition('?')[0]}"), f"the view {name} does not come")

    def live(self) -> None:
        """Waits until the stream is open, and has said something."""
        self.until(lambda: self.text("#link-text") == "Live", "the stream does not open")

    def press(self, *keys: str) -> None:
        """Presses keys where the focus is."""
        self.page.switch_to.active_element.send_keys(*keys)

    def focus(self) -> str:
        """What has the focus, in words."""
        found: str = self.run(
            "const e = document.activeElement;"
            " return `${e.tagName.toLowerCase()} ${e.id || e.getAttribute('aria-label') || e.textContent.trim()}`"
        )
        return found

    def assert_accessible(self) -> None:
        """In light, in dark and on a phone, where it stays: axe finds nothing, and nothing is wider than the page."""
        for scheme in ("light", "dark"):
            self.scheme(scheme)
            assert self.violations() == [], scheme
            assert self.run(WIDE) == []
        self.phone()
        assert self.violations() == [], "phone"
        assert self.run(WIDE) == []

    def violations(self, *rules: str) -> list[str]:
        """Returns what axe finds, in words; by all of `RULES`, where none are named."""
        self.run(f"if (!window.axe) {{ {AXE} }}")
        found: Any = self.page.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, arguments[0]).then((each) => done(each.violations), (error) => done(String(error)));",
            {"runOnly": list(rules)} if rules else RULES,
        )
        assert isinstance(found, list), found
        return [
            f"{each['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
            for each in found
            for node in each["nodes"]
        ]

    def picture(self, file: Path) -> None:
        """Writes what is seen as a PNG."""
        data = self.command("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))


__all__ = ["PHONE", "WIDE", "Keys", "Viewer"]
