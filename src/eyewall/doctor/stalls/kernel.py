"""What the kernel says of a thread: the system call that it is in, the descriptor it waits for, its wait for a CPU.

Linux has it under `/proc/self/task`, and lets every process read its own. Where it is missing (another system, a
hardened container), nothing is known, and every function says so.
"""

from __future__ import annotations

import os
import platform
import socket
import struct
from typing import NamedTuple

from eyewall.doctor.stalls.kernelfile import pread, second_number

_NUMBERS: dict[str, dict[int, str]] = {
    "x86_64": {
        0: "read",
        1: "write",
        2: "open",
        7: "poll",
        17: "pread64",
        18: "pwrite64",
        19: "readv",
        20: "writev",
        23: "select",
        26: "msync",
        35: "nanosleep",
        40: "sendfile",
        42: "connect",
        43: "accept",
        44: "sendto",
        45: "recvfrom",
        46: "sendmsg",
        47: "recvmsg",
        61: "wait4",
        72: "fcntl",
        73: "flock",
        74: "fsync",
        75: "fdatasync",
        77: "ftruncate",
        82: "rename",
        87: "unlink",
        202: "futex",
        217: "getdents64",
        230: "clock_nanosleep",
        232: "epoll_wait",
        247: "waitid",
        257: "openat",
        262: "newfstatat",
        263: "unlinkat",
        270: "pselect6",
        271: "ppoll",
        281: "epoll_pwait",
        285: "fallocate",
        288: "accept4",
        295: "preadv",
        299: "recvmmsg",
        307: "sendmmsg",
        332: "statx",
        426: "io_uring_enter",
        441: "epoll_pwait2",
        449: "futex_waitv",
    },
    "aarch64": {
        22: "epoll_pwait",
        25: "fcntl",
        32: "flock",
        35: "unlinkat",
        46: "ftruncate",
        47: "fallocate",
        56: "openat",
        61: "getdents64",
        63: "read",
        64: "write",
        65: "readv",
        66: "writev",
        67: "pread64",
        68: "pwrite64",
        69: "preadv",
        71: "sendfile",
        72: "pselect6",
        73: "ppoll",
        79: "newfstatat",
        82: "fsync",
        83: "fdatasync",
        95: "waitid",
        98: "futex",
        101: "nanosleep",
        115: "clock_nanosleep",
        202: "accept",
        203: "connect",
        206: "sendto",
        207: "recvfrom",
        211: "sendmsg",
        212: "recvmsg",
        227: "msync",
        242: "accept4",
        243: "recvmmsg",
        260: "wait4",
        269: "sendmmsg",
        291: "statx",
        426: "io_uring_enter",
        441: "epoll_pwait2",
        449: "futex_waitv",
    },
}
_NAMES = _NUMBERS.get(platform.machine(), {})

#: Calls in which a loop waits that has nothing to do.
IDLE = frozenset(("epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_enter"))
#: Calls that wait for a time, for another thread, and for another process.
SLEEPS = frozenset(("nanosleep", "clock_nanosleep"))
LOCKS = frozenset(("futex", "futex_waitv"))
CHILDREN = frozenset(("wait4", "waitid"))
_POLLS = frozenset(("poll", "ppoll"))
#: Calls whose first argument is no descriptor.
_WITHOUT = (
    SLEEPS | LOCKS | CHILDREN | _POLLS | {"open", "openat", "select", "pselect6", "rename", "unlink", "msync"}
)
_KINDS = {
    (socket.AF_INET, socket.SOCK_STREAM): "TCP socket",
    (socket.AF_INET6, socket.SOCK_STREAM): "TCP socket",
    (socket.AF_INET, socket.SOCK_DGRAM): "UDP socket",
    (socket.AF_INET6, socket.SOCK_DGRAM): "UDP socket",
    (socket.AF_UNIX, socket.SOCK_STREAM): "Unix socket",
}


class SystemCall(NamedTuple):
    """A call that a thread is in: its name, and the number of the descriptor that it is about, None for none."""

    name: str
    descriptor: int | None


class ThreadFiles:
    """What the kernel says of the thread with this id of its own. The files stay open until `close`: whoever watches a
    thread reads them many times a second, in any thread."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self._folder = f"/proc/self/task/{thread}"
        self._open: dict[str, int] = {}

    def close(self) -> None:
        """Closes them; nothing is known any more."""
        self._folder = ""
        opened, self._open = self._open, {}
        for number in opened.values():
            os.close(number)

    def _read(self, name: str, size: int) -> bytes:
        return pread(self._number(name), size)

    def _number(self, name: str) -> int:
        number = self._open.get(name)
        if number is None:
            number = os.open(f"{self._folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            first = self._open.setdefault(name, number)
            if first != number:
                # Another thread was here meanwhile.
                os.close(number)
                number = first
        return number

    def system_call(self) -> SystemCall | None:
        """Returns what the thread is in; None where it runs, or where that can't be known."""
        try:
            return parse(self._read("syscall", 200).split())
        except OSError:
            return None

    def waited_for_cpu(self) -> float | None:
        """Returns the seconds in which the thread was ready and no CPU was free; None where that can't be known."""
        try:
            return second_number(self._number("schedstat")) / 1e9
        except (OSError, ValueError):
            return None

    def is_ready(self) -> bool:
        """Whether the thread runs, or waits for a CPU to run on; False where that can't be known."""
        try:
            # The name before may have blanks and parentheses.
            return self._read("stat", 400).rpartition(b")")[2].split()[0] == b"R"
        except (OSError, IndexError):
            return False


def parse(fields: list[bytes]) -> SystemCall | None:
    """Returns what the fields of such a file say: the number of the call and its arguments, or `running`."""
    try:
        name = _NAMES.get(int(fields[0]))
        first = int(fields[1], 16)
    except (ValueError, IndexError):
        return None
    if name is None:
        return None
    if name in _POLLS:
        return SystemCall(name, _polled(first))
    return SystemCall(name, None if name in _WITHOUT else first & 0xFFFFFFFF)


def _polled(address: int) -> int | None:
    """Returns the descriptor that is polled first. It is read as a file, where a wrong address is an error like any."""
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return int(struct.unpack("i", os.pread(memory, 4, address))[0])
    except (OSError, OverflowError, struct.error):
        return None
    finally:
        os.close(memory)


def describe(descriptor: int) -> str:
    """Returns what `descriptor` is, for people: "descriptor 7 (TCP socket to 10.0.0.1:5432)"."""
    try:
        what = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return f"descriptor {descriptor}"
    if what.startswith("socket:"):
        what = _socket(descriptor)
    elif what.startswith(("pipe:", "anon_inode:")):
        what = what.removeprefix("anon_inode:").partition(":")[0].strip("[]")
    return f"descriptor {descriptor} ({what})"


def _socket(descriptor: int) -> str:
    try:
        ours = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return "socket"
    with ours:
        kind = _KINDS.get((ours.family, ours.type), "socket")
        try:
            peer = ours.getpeername()
        except OSError:
            return kind
    if isinstance(peer, tuple) and len(peer) >= 2:
        return f"{kind} to {peer[0]}:{peer[1]}"
    return f"{kind} to {peer}" if isinstance(peer, str) and peer else kind


def is_name_service(descriptor: int) -> bool:
    """Whether `descriptor` is a datagram socket to a name server."""
    return "UDP" in (text := describe(descriptor)) and text.endswith(":53)")
