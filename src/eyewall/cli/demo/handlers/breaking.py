"""The page 'Break it': faults at the press of a button, and what the doctor says of them."""

from __future__ import annotations

from urllib.parse import urlsplit

from eyewall.cli.demo.breaking.catalogue import FAULTS, GROUPS
from eyewall.cli.demo.breaking.fault import Fault
from eyewall.cli.demo.handlers.base import POLICY, JSONHandler, Page, Problem

#: Names of this machine. The dashboard is shown under the same one as the page: its cookie is for that one only.
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
        """Returns the URL of the dashboard under the name that the page was asked for; empty where there is none.

        It has the token, which nobody gets by a name that is not of this machine.
        """
        name = self.request.host_name
        return self.demo.dashboard.replace("127.0.0.1", name, 1) if name in _HERE else ""


class Breaking(JSONHandler):
    """Which faults run, and what was found of those that were pressed."""

    def get(self) -> None:
        breaker = self.demo.breaker
        found = {name: finding.as_json() for name, finding in breaker.found().items()}
        self.write({"running": breaker.running(), "found": found})


class BreakOne(JSONHandler):
    """Begins a fault, and ends it."""

    def post(self, name: str) -> None:
        fault = self._fault(name)
        if not self.demo.may_break:
            raise Problem(403, "Not here: others than this machine can reach this demo.")
        if not self.demo.open_to_all and self.request.host_name not in (*_HERE, "::1", "[::1]"):
            # A name of somebody else's that leads here: DNS rebinding.
            raise Problem(403, "Not by this name: open the page by the address of this machine.")
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
