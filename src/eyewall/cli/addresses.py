"""The sockets that `eyewall run` listens on: bound, opened by number, or handed over by systemd.

They are bound once, by the process that was started, before any application is loaded. Workers inherit them
by `fork`, and all accept from the same ones. The other way to share a port, a socket for each worker with
SO_REUSEPORT, was not taken: the kernel then gives each connection to one socket before it is accepted, and
resets those of a worker that ends, so that a restart would lose clients; anybody with the same user id could
join in; and that a port is taken would show in the workers only. What it would give, an even spread of bursts
of connections, matters less than that.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass

from eyewall.cli.exits import ExitCode, StartError
from eyewall.cli.settings import DEFAULT_HOST, DEFAULT_PORT, Settings
from eyewall.net.address import InheritedSocketError, bind_sockets, bind_unix_socket, inherited_sockets
from eyewall.net.backlog import seal
from eyewall.net.occupant import occupant_of

#: What `--host` takes besides names and addresses: all interfaces, of both families.
_EVERYWHERE = ("*", "")
#: Seconds that a running server has to accept a connection to its Unix socket.
_PROBE_TIME = 1.0


class AddressError(StartError):
    """An address can't be listened on."""

    def __init__(self, message: str) -> None:
        super().__init__(ExitCode.ADDRESS, message)


@dataclass(frozen=True, slots=True)
class _File:
    """The file of a Unix socket, and what tells it from one that another server has put in its place."""

    path: str
    identity: tuple[int, ...]


class Addresses:
    """The listening sockets of a server, and the files of those that have one."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        #: Those that probes of health come to, where they have an address of their own.
        self.probes: list[socket.socket] = []
        #: For each process, those that scrapes of its metrics come to.
        self.scrapes: list[list[socket.socket]] = []
        self._inherited: set[int] = set()
        self._files: list[_File] = []
        self._owner = os.getpid()

    @classmethod
    def open(cls, settings: Settings, backlog: int, processes: int = 1) -> Addresses:
        """Opens all that `settings` name; sockets from systemd count where they are there.

        `processes` will serve them. A host and a port are the default where nothing else is named. Raises AddressError.
        """
        self = cls()
        try:
            self._inherit(settings.fds)
            for path in settings.unix:
                self._bind_unix(path, settings.unix_mode, backlog)
            if settings.hosts or settings.port is not None or not self.sockets:
                port = DEFAULT_PORT if settings.port is None else settings.port
                self.sockets += _bound(settings.hosts or (DEFAULT_HOST,), port, backlog)
            if settings.health_port is not None:
                host = settings.health_host or DEFAULT_HOST
                self.probes += _bound((host,), settings.health_port, backlog, "--health-port")
            if settings.metrics_address is not None:
                host, first = settings.metrics_address
                for number in range(processes):
                    # 0 is any that is free, for each.
                    port = first and first + number
                    self.scrapes.append(_bound((host or DEFAULT_HOST,), port, backlog, "--metrics"))
        except BaseException:
            self.close()
            self.remove_files()
            raise
        return self

    def urls(self, scheme: str) -> list[str]:
        """Returns the URL of each socket."""
        return [_url(sock, scheme) for sock in self.sockets]

    def probe_urls(self) -> list[str]:
        """Returns the URL of each socket that probes come to."""
        return [_url(sock, "http") for sock in self.probes]

    def scrape_urls(self) -> list[str]:
        """Returns the URL of each socket that scrapes come to."""
        return [_url(sock, "http") for sockets in self.scrapes for sock in sockets]

    def refuse(self) -> None:
        """Lets nobody new in, except probes; clients that are connected already can still be accepted.

        For all processes that share the sockets, so it comes before all of them end. A socket from outside
        is left alone: whoever opened it keeps it, and the clients in it, for the next server.
        """
        for sock in self.sockets:
            if sock.fileno() >= 0 and sock.fileno() not in self._inherited:
                seal(sock)
        self.remove_files()

    def close(self) -> None:
        """Closes the sockets in this process; others that share them still accept."""
        for sock in (*self.sockets, *self.probes, *(each for sockets in self.scrapes for each in sockets)):
            sock.close()

    def remove_files(self) -> None:
        """Removes the files of Unix sockets, unless another server has put its own in their place."""
        if os.getpid() != self._owner:
            return
        for file in self._files:
            try:
                if _identity(file.path) == file.identity:
                    os.unlink(file.path)
            except OSError:
                # It is gone, or its folder can't be written any more: a start replaces what is left behind.
                continue
        self._files.clear()

    # -- opening ----------------------------------------------------------------------------------------

    def _inherit(self, descriptors: tuple[int, ...]) -> None:
        for number in descriptors:
            self.sockets.append(_opened(number))
        try:
            inherited = inherited_sockets()
        except InheritedSocketError as error:
            raise AddressError(f"systemd's sockets can't be used: {error}") from error
        known = {sock.fileno() for sock in self.sockets}
        for each in inherited:
            if each.sock.fileno() in known:
                # Named by --fd as well: two objects for one descriptor would close it twice.
                each.sock.detach()
            else:
                self.sockets.append(each.sock)
        self._inherited = {sock.fileno() for sock in self.sockets}

    def _bind_unix(self, path: str, mode: int, backlog: int) -> None:
        # `@name` is how Linux tools write a name in the abstract namespace, which has no file.
        full = "\0" + path[1:] if path.startswith("@") else os.path.abspath(path)
        if _answers(full):
            raise AddressError(f"a running server listens on the Unix socket {path!r} already")
        try:
            self.sockets.append(bind_unix_socket(full, mode, backlog))
        except (OSError, ValueError) as error:
            raise AddressError(str(error.args[-1])) from error
        if not full.startswith("\0"):
            self._files.append(_File(full, _identity(full)))


def _bound(hosts: tuple[str, ...], port: int, backlog: int, option: str = "--port") -> list[socket.socket]:
    """Returns listening sockets for `hosts`. Raises AddressError, which names `option`."""
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            address = None if host in _EVERYWHERE else host
            try:
                bound = bind_sockets(port, address, backlog=backlog)
            except socket.gaierror as error:
                raise AddressError(f"the host {host!r} has no address here: {error.strerror}") from error
            except OSError as error:
                raise AddressError(_why(error, port, option)) from error
            sockets += bound
            # With port 0 the system chooses, once for all hosts.
            port = port or bound[0].getsockname()[1]
    except AddressError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _identity(path: str) -> tuple[int, ...]:
    found = os.lstat(path)
    # The number alone is given to the next file when this one is gone.
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _opened(number: int) -> socket.socket:
    """Returns the listening socket that is open under `number`."""
    try:
        kind = os.fstat(number).st_mode
    except OSError as error:
        raise AddressError(f"descriptor {number} (--fd) is not open: {error.strerror}") from error
    if not stat.S_ISSOCK(kind):
        raise AddressError(f"descriptor {number} (--fd) is not a socket")
    sock = socket.socket(fileno=number)
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        raise AddressError(f"descriptor {number} (--fd) is not a listening stream socket")
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock


def _why(error: OSError, port: int, option: str) -> str:
    """Returns what a person can do about an address that can't be had."""
    said = str(error.args[-1])
    if error.errno == errno.EADDRINUSE:
        holder = occupant_of(port)
        by = f", by {holder}" if holder else ""
        return f"port {port} is taken{by}. Stop that, or choose another with {option} ({said})"
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user; ports from 1024 on may ({said})"
    return said


def _answers(path: str) -> bool:
    """Whether a server accepts connections at a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_TIME)
        try:
            probe.connect(path)
        except OSError as error:
            # A backlog that is full belongs to somebody who listens.
            return error.errno == errno.EAGAIN or isinstance(error, TimeoutError)
    return True


def _url(sock: socket.socket, scheme: str) -> str:
    name = sock.getsockname()
    if isinstance(name, tuple):
        host = f"[{name[0]}]" if ":" in name[0] else name[0]
        return f"{scheme}://{host}:{name[1]}"
    text = os.fsdecode(name)
    return f"unix:{text}" if not text.startswith("\0") else f"unix:@{text[1:]}"
