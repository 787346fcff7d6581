"""Listening sockets: bound to TCP addresses or Unix paths, or inherited from a service manager."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import MutableMapping
from typing import Any, NamedTuple

from eyewall.base.errors import EyewallError


class _Unstated(int):
    """A number that tells, by being this object, that nobody has stated it."""


#: Connections that may wait to be accepted, where nothing else is said: Tornado's documented default. A server that
#: has a profile takes this object, and only this one, to mean the profile's `listen_backlog`.
DEFAULT_BACKLOG: int = _Unstated(128)
#: How many free ports are tried until one is free for all addresses.
_PORT_ATTEMPTS = 20
#: The first descriptor that systemd hands over (sd_listen_fds(3)).
_FIRST_INHERITED = 3
#: More descriptors than anybody hands over; beyond it the number is taken for a mistake.
_MOST_INHERITED = 1024
#: Errors of an address that exists in the resolver's answer and not on this machine, as ::1 often does.
_MISSING = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

#: An address family and an address of it, from `getaddrinfo`.
_Place = tuple[int, Any]


class InheritedSocketError(EyewallError, ValueError):
    """What a service manager has handed over cannot be used; the message says what and why."""


class InheritedSocket(NamedTuple):
    """A listening socket from a service manager, and the name it has there (`unknown` when it has none)."""

    name: str
    sock: socket.socket


def bind_sockets(
    port: int,
    address: str | None = None,
    family: socket.AddressFamily = socket.AF_UNSPEC,
    backlog: int = DEFAULT_BACKLOG,
    flags: int | None = None,
    reuse_port: bool = False,
) -> list[socket.socket]:
    """Returns listening, non-blocking TCP sockets: one for each address that `address` stands for.

    `address` is an IP address, or a host name, which may have several; empty or None stands for all
    interfaces. `family` limits them to IPv4 or IPv6. With `port` 0 the system chooses a port, the same one
    for all. `backlog` is the number of connections that may wait, `flags` are AI_* flags for `getaddrinfo`,
    and `reuse_port` lets several processes listen on the port.

    Raises ValueError when `reuse_port` is not supported here, `socket.gaierror` for an unknown name, and
    OSError, which names the address, when none or one of them cannot be bound.
    """
    if reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("the platform doesn't support SO_REUSEPORT")
    if address == "":
        address = None
    if not socket.has_ipv6 and family == socket.AF_UNSPEC:
        family = socket.AF_INET
    found = socket.getaddrinfo(
        address, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE if flags is None else flags
    )
    places: list[_Place] = []
    for kind, _, _, _, where in found:
        if kind in (socket.AF_INET, socket.AF_INET6) and (kind, where) not in places:
            places.append((kind, where))
    # IPv4 first: what is free there is more often free for IPv6 as well than the other way round.
    places.sort(key=lambda place: place[0] != socket.AF_INET)
    attempts = _PORT_ATTEMPTS
    while True:
        attempts -= 1
        try:
            return _bind_all(places, backlog, reuse_port)
        except _PortTaken as error:
            if attempts == 0:
                raise error.cause from None


class _PortTaken(Exception):
    """The port that the system chose for one address is not free at another."""

    def __init__(self, cause: OSError) -> None:
        super().__init__()
        self.cause = cause


def _name_holder(cause: OSError, port: int) -> None:
    """Adds to an error who has the port, where that can be seen."""
    # Programs that get their port never load it.
    from eyewall.net.occupant import occupant_of

    holder = occupant_of(port)
    by = f"by {holder}" if holder else "by another program (`ss -ltnp` shows which)"
    cause.add_note(f"Port {port} is taken {by}: stop that, or listen on another port.")


def _bind_all(places: list[_Place], backlog: int, reuse_port: bool) -> list[socket.socket]:
    """Binds all `places`, with the port of the first where theirs is 0, or none of them."""
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    chosen: int | None = None
    try:
        for kind, where in places:
            host, port, *rest = where
            sock = None
            try:
                sock = socket.socket(kind, socket.SOCK_STREAM)
                _prepare(sock, reuse_port)
                sock.bind((host, chosen or port, *rest))
                sock.listen(backlog)
            except OSError as error:
                if sock is not None:
                    sock.close()
                if error.errno in _MISSING:
                    missing = _explained(error, host, port)
                    continue
                cause = _explained(error, host, chosen or port)
                if error.errno == errno.EADDRINUSE and port == 0 and chosen is not None:
                    raise _PortTaken(cause) from error
                if error.errno == errno.EADDRINUSE:
                    _name_holder(cause, port)
                raise cause from None
            sockets.append(sock)
            if port == 0 and chosen is None:
                chosen = sock.getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    if not sockets and missing is not None:
        raise missing
    return sockets


def _prepare(sock: socket.socket, reuse_port: bool) -> None:
    sock.setblocking(False)
    if os.name != "nt":
        # A port whose last connections are in TIME_WAIT can be bound; Windows means something else by it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if sock.family == socket.AF_INET6:
        # IPv4 has its own socket; without this one takes both and the other finds the port in use.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def _explained(error: OSError, host: object, port: object) -> OSError:
    """Returns the same error, with the address in its message."""
    return OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}")


if hasattr(socket, "AF_UNIX"):

    def bind_unix_socket(
        file: str | os.PathLike[str], mode: int = 0o600, backlog: int = DEFAULT_BACKLOG
    ) -> socket.socket:
        """Returns a listening, non-blocking Unix socket.

        A socket that exists at `file` is replaced, a running server's as well; any other kind of file raises
        ValueError. `mode` are the permissions of the file, `backlog` is the number of connections that may
        wait. On Linux a name that begins with a NUL is in the abstract namespace and has no file. Raises OSError,
        which names the path, when it cannot be bound.
        """
        path = os.fspath(file)
        abstract = path.startswith("\0")
        if not abstract:
            _remove_stale(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            try:
                sock.bind(path)
            except OSError as error:
                reason = error.strerror or str(error)
                raise OSError(error.errno, f"cannot listen on the Unix socket {path!r}: {reason}") from None
            if not abstract:
                # Nobody can connect before `listen`, so there is no moment with other permissions.
                os.chmod(path, mode)
            sock.listen(backlog)
        except BaseException:
            sock.close()
            raise
        return sock

    def _remove_stale(path: str) -> None:
        try:
            kind = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(kind):
            raise ValueError(f"File {path} exists and is not a socket")
        os.remove(path)


def is_valid_ip(ip: str) -> bool:
    """Whether `ip` is an IP address in the usual notation: dotted decimal, or IPv6, also with a zone.

    Abbreviated and octal forms of IPv4 that some C libraries accept (`127.1`, `0177.0.0.1`) are none: what is
    compared with lists of addresses must have one spelling.
    """
    if not ip or not ip.isascii() or "\0" in ip:
        return False
    if ":" not in ip:
        return _parses(socket.AF_INET, ip)
    host, percent, zone = ip.partition("%")
    if percent and not (zone and zone.replace("-", "").replace(".", "").replace("_", "").isalnum()):
        return False
    return _parses(socket.AF_INET6, host)


def _parses(family: socket.AddressFamily, ip: str) -> bool:
    try:
        socket.inet_pton(family, ip)
    except OSError:
        return False
    return True


def inherited_sockets(environ: MutableMapping[str, str] = os.environ) -> list[InheritedSocket]:
    """Returns the listening sockets that a service manager (systemd) has handed over; often none.

    They are announced in the environment, `environ` (`LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`;
    sd_listen_fds(3)), which is cleared, so that programs started from here do not take them for theirs. A
    process that the announcement is not meant for gets none. Raises InheritedSocketError when it cannot be
    right or a descriptor is not a listening stream socket; nothing is closed then.
    """
    process = environ.pop("LISTEN_PID", None)
    count = environ.pop("LISTEN_FDS", None)
    names = environ.pop("LISTEN_FDNAMES", "")
    if process is None or count is None:
        return []
    if _number("LISTEN_PID", process) != os.getpid():
        return []
    number = _number("LISTEN_FDS", count)
    if number > _MOST_INHERITED:
        raise InheritedSocketError(
            f"LISTEN_FDS says {number} descriptors; at most {_MOST_INHERITED} are taken"
        )
    named = names.split(":") if names else ["unknown"] * number
    if len(named) != number:
        raise InheritedSocketError(f"LISTEN_FDNAMES has {len(named)} names for {number} descriptors")
    descriptors = range(_FIRST_INHERITED, _FIRST_INHERITED + number)
    for name, descriptor in zip(named, descriptors, strict=True):
        _check_listening(name, descriptor)
    return [InheritedSocket(name, _adopt(fd)) for name, fd in zip(named, descriptors, strict=True)]


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InheritedSocketError(f"{name} is {text!r}, which is not a number")
    return int(text)


def _check_listening(name: str, descriptor: int) -> None:
    what = f"descriptor {descriptor} ({name!r}) of the service manager"
    try:
        kind = os.fstat(descriptor).st_mode
    except OSError as error:
        raise InheritedSocketError(f"{what} is not open: {error.strerror}") from error
    if not stat.S_ISSOCK(kind):
        raise InheritedSocketError(f"{what} is not a socket")
    probe = socket.socket(fileno=os.dup(descriptor))
    try:
        if probe.type != socket.SOCK_STREAM:
            raise InheritedSocketError(f"{what} is not a stream socket")
        # macOS does not say whether a socket listens.
        if sys.platform != "darwin" and not probe.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise InheritedSocketError(f"{what} does not listen")
    finally:
        probe.close()


def _adopt(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    return sock
