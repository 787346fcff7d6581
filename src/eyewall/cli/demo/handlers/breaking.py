"""The page 'Break it': faults at the press of a button, and what the doctor says of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from eyewall.cli.demo.breaking.catalogue import FAULTS, GROUPS
from eyewall.cli.demo.breaking.fault import Fault
from eyewall.cli.demo.handlers.base import POLICY, JSONHandler, Page, Problem

#: Names of this machine that the dashboard is shown under as well: its cookie is for the page's own name only.
_HERE = ("127.0.0.1", "localhost")


class Break(Page):
    """The page, with the code of all faults: the server can't be asked for it while its loop is blocked."""

    def get(self) -> None:
        dashboard = self._dashboard()
        if dashboard:
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(dashboard))
            self.set_header("Content-Security-Policy", f"{POLICY}; frame-src {origin}")
        self.render(
            "break.html",
            groups=GROUPS,
            allowed=self.demo.may_break,
            watched=self.demo.watched,
            dashboard=dashboard,
            folder=self.demo.breaker.shop.folder,
        )

    def _dashboard(self) -> str:
        """Returns the URL of the dashboard under the name that the page was asked for; empty where there is none."""
        url = self.demo.dashboard
        name = self.request.host_name
        return url.replace("127.0.0.1", name, 1) if url and name in _HERE else url


class Breaking(JSONHandler):
    """Which faults run, and what was found of those that were pressed."""

    def get(self) -> None:
        breaker = self.demo.breaker
        found: dict[str, Any] = {}
        for name, fault in FAULTS.items():
            finding = breaker.found(fault)
            if finding is not None:
                found[name] = finding.as_json()
        self.write({"running": breaker.running(), "found": found})


class BreakOne(JSONHandler):
    """Begins a fault, and ends it."""

    def post(self, name: str) -> None:
        fault = self._fault(name)
        if not self.demo.may_break:
            raise Problem(403, "Not here: others than this machine can reach this demo.")
        if not self.demo.breaker.press(fault):
            raise Problem(409, "It runs already.")
        self.set_status(202)
        self.write({"seconds": fault.seconds})

    def delete(self, name: str) -> None:
        self.demo.breaker.mend(self._fault(name))
        self.set_status(204)

    def _fault(self, name: str) -> Fault:
        fault = FAULTS.get(name)
        if fault is None:
            raise Problem(404, "There is no such fault.")
        return fault
