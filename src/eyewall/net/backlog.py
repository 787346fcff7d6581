"""Ending a listening socket without losing a client.

A client counts as connected as soon as the kernel has answered it, and may have sent its request. One that is
answered after a server's last look at the backlog, and before the socket is closed, gets a reset. `seal`
removes that gap: the kernel answers nobody any more, and whoever waits already can be accepted in peace.

Linux only, with a filter on the socket (socket(7), SO_ATTACH_FILTER): a SYN is dropped, everything else
passes. A client whose SYN was dropped sends another one a second later, and by then it is refused, or reaches
whoever listens there now. A connection that was accepted earlier inherits nothing that it would notice: no SYN
belongs to it.
"""

from __future__ import annotations

import array
import socket
import struct
import sys

#: From <asm-generic/socket.h>; the module `socket` has no name for it.
_SO_ATTACH_FILTER = 26
#: The byte of a TCP header in which its flags are, those of them that matter, and what says 'connect me'.
_FLAGS_AT = 13
_SYN_AND_ACK = 0x12
_SYN = 0x02
#: Load a byte; and; jump if equal; return (<linux/bpf_common.h>), and what lets all of a packet pass.
_LOAD, _AND, _IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
_WHOLE = 0x40000

_PROGRAM = (
    (_LOAD, 0, 0, _FLAGS_AT),
    (_AND, 0, 0, _SYN_AND_ACK),
    (_IF_EQUAL, 0, 1, _SYN),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, _WHOLE),
)


def seal(sock: socket.socket) -> bool:
    """Has the kernel let nobody new into the backlog of `sock`, a listening socket; those in it stay.

    Only for a socket that is about to be closed by everybody who has it: it can't be undone, and holds for all
    processes that share it. Returns False where that is not possible: for other sockets than those of TCP, on
    other systems than Linux, and where the process may not.
    """
    if not sys.platform.startswith("linux") or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    code = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in _PROGRAM))
    try:
        sock.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(_PROGRAM), code.buffer_info()[0])
        )
    except OSError:
        # A sandbox, or a kernel that can't: the gap stays, a few microseconds wide.
        return False
    return True
