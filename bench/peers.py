"""The servers that are compared: what each is called, how it starts, and what it can do."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SERVERS = Path(__file__).parent / "servers"
ROOT = Path(__file__).parent.parent

SMALL = frozenset({"plaintext", "browser", "json", "post", "suspend", "connect", "idle-http"})
UPLOADS = frozenset({"upload-buffered", "upload-streamed"})
DOWNLOAD = frozenset({"download"})
FILES = frozenset({"static-100k", "static-10m"})
SOCKETS = frozenset({"ws-32", "ws-8k", "broadcast", "idle-ws"})
DEFLATE = frozenset({"ws-deflate"})
IMPORT = frozenset({"import", "import-memory"})
HTTP = SMALL | UPLOADS | DOWNLOAD


@dataclass(frozen=True)
class Peer:
    """One server of the comparison."""

    name: str
    label: str
    script: str
    #: Names of the workloads it takes part in.
    workloads: frozenset[str]
    #: Distributions that must be installed; the first one's version is reported.
    requires: tuple[str, ...] = ()
    #: A program that must be there.
    program: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    #: What a program that answers requests must import, for the cost of importing.
    imports: str = ""
    #: Whether it is Python that serves: peers whose every number Eyewall has to beat.
    rival: bool = True
    #: Taken only when asked for by name.
    optional: bool = False

    @property
    def path(self) -> Path:
        """The script that is the server."""
        return SERVERS / self.script

    def missing(self) -> str:
        """Returns what has to be installed before it can run; empty when nothing."""
        absent = [name for name in self.requires if not _installed(name)]
        if self.program and _find(self.program) is None:
            absent.append(self.program)
        return ", ".join(absent)

    def version(self) -> str:
        """Returns the version that will be measured."""
        if self.program:
            program = _find(self.program)
            if program is None:
                return ""
            said = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=10, check=False)
            found = re.search(r"/([\d.]+)", said.stderr + said.stdout)
            return found[1] if found else ""
        if not self.requires:
            return ""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in self.requires)


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _find(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")


_EYEWALL = HTTP | FILES | SOCKETS | DEFLATE | IMPORT
_TORNADO_IMPORT = "from tornado.web import Application, RequestHandler"
_EYEWALL_IMPORT = "from eyewall.web import Application, RequestHandler"


def eyewall(path: Path, name: str = "eyewall", label: str = "Eyewall") -> Peer:
    """Returns the Eyewall whose packages are in the folder `path`."""
    return Peer(
        name,
        label,
        "eyewall_app.py",
        _EYEWALL,
        environment={"PYTHONPATH": str(path)},
        imports=_EYEWALL_IMPORT,
        rival=False,
    )


def default_build() -> Path:
    """Returns where Eyewall is: the compiled build where `make build` has made one, else the sources."""
    built = ROOT / "build" / "compiled"
    return built if (built / "eyewall").is_dir() else ROOT / "src"


def stale(build: Path) -> bool:
    """Returns whether the sources were changed after `build` was made from them."""
    sources = ROOT / "src"
    if build == sources:
        return False
    newest = max((file.stat().st_mtime for file in (build / "eyewall").rglob("*.so")), default=0.0)
    return any(
        file.stat().st_mtime > newest
        for kind in ("*.py", "*.pxd")
        for file in (sources / "eyewall").rglob(kind)
    )


def compiled_modules(path: Path) -> int:
    """Returns how many compiled modules the Eyewall in the folder `path` has."""
    return sum(1 for _ in (path / "eyewall").rglob("*.so"))


PEERS = (
    Peer("bare", "bare protocol", "bare.py", HTTP, ("httptools", "uvloop"), rival=False),
    Peer(
        "tornado",
        "Tornado",
        "tornado_app.py",
        _EYEWALL,
        ("tornado",),
        imports=_TORNADO_IMPORT,
    ),
    Peer(
        "tornado-uvloop",
        "Tornado on uvloop",
        "tornado_uvloop.py",
        _EYEWALL - IMPORT,
        ("tornado", "uvloop"),
        optional=True,
    ),
    Peer(
        "aiohttp",
        "aiohttp",
        "aiohttp_app.py",
        HTTP | FILES | SOCKETS | DEFLATE | IMPORT,
        ("aiohttp", "uvloop"),
        imports="from aiohttp import web",
    ),
    Peer("uvicorn", "uvicorn, raw ASGI", "uvicorn_raw.py", HTTP, ("uvicorn", "httptools", "uvloop")),
    Peer(
        "starlette",
        "Starlette on uvicorn",
        "starlette_app.py",
        HTTP | FILES | IMPORT,
        ("starlette", "uvicorn", "httptools", "uvloop"),
        imports="import starlette.applications, starlette.responses, starlette.routing",
    ),
    Peer("granian-asgi", "Granian, raw ASGI", "granian_asgi.py", HTTP, ("granian", "uvloop")),
    Peer("granian-rsgi", "Granian, raw RSGI", "granian_rsgi.py", HTTP | FILES, ("granian", "uvloop")),
    Peer(
        "blacksheep",
        "BlackSheep on uvicorn",
        "blacksheep_app.py",
        HTTP | FILES | IMPORT,
        ("blacksheep", "uvicorn", "httptools", "uvloop"),
        imports="from blacksheep import Application, Response",
    ),
    Peer(
        "nginx",
        "nginx",
        "nginx.py",
        frozenset({"plaintext", "browser", "connect", "idle-http"}) | FILES,
        program="nginx",
        rival=False,
    ),
    Peer("picows", "picows", "picows_app.py", SOCKETS, ("picows", "uvloop")),
    Peer("websockets", "websockets", "websockets_app.py", SOCKETS | DEFLATE, ("websockets", "uvloop")),
)


def select(names: list[str] | None, build: Path, previous: Path | None) -> list[Peer]:
    """Returns the peers that `names` calls for, all but the optional ones for None, Eyewall first.

    Raises ValueError for a name that is none.
    """
    known = [eyewall(build)]
    if previous is not None:
        known.append(eyewall(previous, "eyewall-previous", "Eyewall, previous build"))
    known.extend(PEERS)
    if names is None:
        return [peer for peer in known if not peer.optional]
    unknown = set(names) - {peer.name for peer in known}
    if unknown:
        raise ValueError(
            f"no such server: {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in known)}"
        )
    return [peer for peer in known if peer.name in names or peer.name == "eyewall-previous"]
