"""The shop: the application that has the faults, beside the demo, on an address of its own.

Its handlers can be reached by nobody but its customers: it listens on the loopback interface, and answers under a name
only that nobody else knows. So no page of another site can press a button here by having a browser fetch something.
"""

from __future__ import annotations

import importlib
import os
import re
import secrets
import sys
from pathlib import Path
from types import ModuleType

from eyewall.cli.demo.breaking.catalogue import FAULTS
from eyewall.cli.demo.breaking.fault import Fault
from eyewall.cli.demo.customers import Customers
from eyewall.cli.demo.limits import SHOP_PROFILE
from eyewall.http.server import HTTPServer
from eyewall.net.address import bind_sockets
from eyewall.web import Application

#: What its modules are imported as.
PACKAGE = "shop"


class Shop:
    """The shop, with its code and all its files in `folder`, which is the caller's to remove."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / PACKAGE
        self._parent = str(folder)
        self._host = f"{secrets.token_hex(16)}.shop"
        self._modules: dict[str, ModuleType] = {}
        # Made when somebody presses the first button.
        self._app: Application | None = None
        self._server: HTTPServer | None = None
        self._customers: Customers | None = None

    def fault(self, file: str) -> Fault | None:
        """Returns the fault that has a file, by its name as findings have it; None for another file."""
        folder, name = os.path.split(file)
        return FAULTS.get(name.removesuffix(".py")) if folder == str(self.folder) else None

    def enter(self, fault: Fault) -> tuple[ModuleType, Customers]:
        """Returns the module of a fault, whose handlers are served from now on, and those who use them."""
        customers = self._customers or self._open()
        module = self._modules.get(fault.name)
        if module is None:
            (self.folder / f"{fault.name}.py").write_text(fault.source, encoding="utf-8")
            importlib.invalidate_caches()
            module = self._modules[fault.name] = importlib.import_module(f"{PACKAGE}.{fault.name}")
            assert self._app is not None
            self._app.add_handlers(re.escape(self._host), getattr(module, "routes", []))
        return module, customers

    async def close(self) -> None:
        """Ends what is served, and forgets its modules."""
        server, self._server = self._server, None
        if server is None:
            return
        server.stop()
        await server.close_all_connections()
        sys.path.remove(self._parent)
        for name in [PACKAGE, *(f"{PACKAGE}.{each}" for each in self._modules)]:
            sys.modules.pop(name, None)
        self._modules.clear()
        self._app = self._customers = None

    def _open(self) -> Customers:
        self.folder.mkdir()
        (self.folder / "__init__.py").write_text("", encoding="utf-8")
        # Another demo of this process has had one.
        sys.modules.pop(PACKAGE, None)
        sys.path.insert(0, self._parent)
        self._app = Application(folder=self.folder, log_function=_count_nothing)
        self._server = HTTPServer(self._app, profile=SHOP_PROFILE)
        sockets = bind_sockets(0, "127.0.0.1")
        self._server.add_sockets(sockets)
        self._customers = Customers(sockets[0].getsockname()[1], self._host, self.folder)
        return self._customers


def _count_nothing(handler: object) -> None:
    """Hundreds of lines in the log would hide the doctor's."""
