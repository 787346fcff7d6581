"""EW206: the network, and names in it, that the loop's thread waits for."""

from __future__ import annotations

import ast
import re

from eyewall.doctor.checking.problem import RuleInfo
from eyewall.doctor.checking.rules.blockingrule import BlockingRule, argument, is_constant
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.finding import Severity

_METHODS = (
    "accept",
    "connect",
    "recv",
    "recv_into",
    "recvfrom",
    "recvmsg",
    "send",
    "sendall",
    "sendfile",
    "makefile",
)
_SERVICES = (
    "smtplib.SMTP",
    "smtplib.SMTP_SSL",
    "ftplib.FTP",
    "ftplib.FTP_TLS",
    "imaplib.IMAP4",
    "imaplib.IMAP4_SSL",
)
_NONBLOCKING = re.compile(r"setblocking\(\s*(False|0)\s*\)|settimeout\(\s*0(\.0*)?\s*\)|MSG_DONTWAIT")


class BlockingSocket(BlockingRule):
    """Sockets and resolving, in code that runs in the loop."""

    about = RuleInfo(
        "EW206",
        "blocking-socket",
        Severity.ERROR,
        "The loop's thread waits for the network, and for as long as another machine likes.",
        "Use asyncio.open_connection or loop.sock_*; loop.getaddrinfo for names; a thread for the rest.",
    )
    calls = frozenset(
        {
            "socket.create_connection",
            "socket.getaddrinfo",
            "socket.gethostbyname",
            "socket.gethostbyname_ex",
            "socket.gethostbyaddr",
            "socket.getnameinfo",
            "socket.getfqdn",
            *(f"socket.socket.{name}" for name in _METHODS),
            *(f"ssl.SSLSocket.{name}" for name in (*_METHODS, "do_handshake", "read", "write")),
            *_SERVICES,
            *(f"{service}.{name}" for service in _SERVICES for name in ("login", "sendmail", "send_message")),
            "telnetlib.Telnet",
            "select.select",
        }
    )

    def blocks(self, call: ast.Call, name: str, function: Function) -> bool:
        """Where a module makes sockets that don't block, it is not known which ones do."""
        if name == "select.select":
            return not is_constant(argument(call, "timeout", 3), 0, 0.0)
        if name.startswith(("socket.socket.", "ssl.")):
            return not _NONBLOCKING.search(function.module.text)
        # An address that is one already, or is to be listened on, is asked of nobody.
        return not (name.startswith("socket.get") and _is_numeric(function))


def _is_numeric(function: Function) -> bool:
    return function.node is not None and any(
        isinstance(node, ast.Attribute) and node.attr in ("AI_PASSIVE", "AI_NUMERICHOST")
        for node in ast.walk(function.node)
    )
