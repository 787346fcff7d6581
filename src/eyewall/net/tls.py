"""TLS contexts: safe ones for our servers and clients, and the documented helpers for option dictionaries."""

from __future__ import annotations

import os
import socket as socket_module
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

from eyewall.base.errors import EyewallError

#: What an option dictionary may contain.
OPTION_NAMES = frozenset({"ssl_version", "certfile", "keyfile", "cert_reqs", "ca_certs", "ciphers"})
#: The application protocols a server offers by default (RFC 7301).
HTTP_ALPN = ("http/1.1",)

_Password = str | bytes | None


class TLSConfigError(EyewallError, ValueError):
    """A certificate, key or TLS option cannot be used; the message says which and why."""


class MissingTLSOption(TLSConfigError, KeyError):
    """A TLS option needs another one that is not there. A KeyError as well, as Tornado documents it."""

    __str__ = Exception.__str__


def server_context(
    certfile: str | os.PathLike[str],
    keyfile: str | os.PathLike[str] | None = None,
    *,
    ca_certs: str | os.PathLike[str] | None = None,
    alpn: Iterable[str] = HTTP_ALPN,
    password: _Password = None,
) -> ssl.SSLContext:
    """Returns a context for a server: TLS 1.2 or later, no compression, no renegotiation.

    `certfile` holds the certificate and those that lead to its issuer, PEM; `keyfile` the key, unless it is
    in the same file, with `password` if it is encrypted. With `ca_certs` clients must present a certificate
    issued by one of these. `alpn` lists the application protocols, the preferred one first. Raises
    TLSConfigError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _load_chain(context, certfile, keyfile, password)
    if ca_certs is not None:
        _load_authorities(context, ca_certs)
        context.verify_mode = ssl.CERT_REQUIRED
    _offer(context, alpn)
    return context


def client_context(
    *,
    ca_certs: str | os.PathLike[str] | None = None,
    certfile: str | os.PathLike[str] | None = None,
    keyfile: str | os.PathLike[str] | None = None,
    verify: bool = True,
    alpn: Iterable[str] = (),
    password: _Password = None,
) -> ssl.SSLContext:
    """Returns a context for a client, which verifies the server's certificate and name unless `verify` is
    false.

    `ca_certs` replaces the authorities of the system; `certfile` and `keyfile` are what the client presents,
    `password` is that of an encrypted key. `alpn`: protocols to offer, the best first.
    Raises TLSConfigError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_certs is not None:
        _load_authorities(context, ca_certs)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if certfile is not None:
        _load_chain(context, certfile, keyfile, password)
    _offer(context, alpn)
    return context


def ssl_options_to_context(
    ssl_options: Mapping[str, Any] | ssl.SSLContext, server_side: bool | None = None
) -> ssl.SSLContext:
    """Returns `ssl_options` as a context: itself if it is one, otherwise one made of a dictionary.

    The dictionary may contain `ssl_version`, `certfile`, `keyfile`, `cert_reqs`, `ca_certs` and `ciphers`.
    `server_side` says for which role the context is. None, which lets one context serve both, is deprecated
    by Python and warns. A client context verifies the server, unless `cert_reqs` says otherwise. Raises
    TLSConfigError for anything unknown or unusable.
    """
    if isinstance(ssl_options, ssl.SSLContext):
        return ssl_options
    unknown = set(ssl_options) - OPTION_NAMES
    if unknown:
        names = ", ".join(sorted(map(repr, unknown)))
        raise TLSConfigError(f"unknown TLS options: {names}; known are {', '.join(sorted(OPTION_NAMES))}")
    roles = {None: ssl.PROTOCOL_TLS, True: ssl.PROTOCOL_TLS_SERVER, False: ssl.PROTOCOL_TLS_CLIENT}
    context = ssl.SSLContext(ssl_options.get("ssl_version", roles[server_side]))
    _harden(context, "ssl_version" not in ssl_options)
    if ssl_options.get("certfile") is not None:
        _load_chain(context, ssl_options["certfile"], ssl_options.get("keyfile"), None)
    elif ssl_options.get("keyfile") is not None:
        raise MissingTLSOption("the TLS option 'keyfile' needs 'certfile' as well")
    required = ssl_options.get("cert_reqs")
    if required is not None:
        if required == ssl.CERT_NONE:
            context.check_hostname = False
        context.verify_mode = required
    if ssl_options.get("ca_certs") is not None:
        _load_authorities(context, ssl_options["ca_certs"])
    elif server_side is False and context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if ssl_options.get("ciphers") is not None:
        try:
            context.set_ciphers(ssl_options["ciphers"])
        except ssl.SSLError as error:
            raise TLSConfigError(f"no cipher of {ssl_options['ciphers']!r} can be used") from error
    return context


def ssl_wrap_socket(
    socket: socket_module.socket,
    ssl_options: Mapping[str, Any] | ssl.SSLContext,
    server_hostname: str | None = None,
    server_side: bool | None = None,
    **kwargs: Any,
) -> ssl.SSLSocket:
    """Returns an `ssl.SSLSocket` around `socket`.

    `ssl_options` and `server_side` are as for `ssl_options_to_context`, `server_hostname` is the name that a
    client expects; `kwargs` go to `ssl.SSLContext.wrap_socket`.
    """
    context = ssl_options_to_context(ssl_options, server_side=server_side)
    if server_side is None:
        server_side = False
    if server_hostname is not None and not server_side:
        kwargs["server_hostname"] = server_hostname
    return context.wrap_socket(socket, server_side=server_side, **kwargs)


def _harden(context: ssl.SSLContext, versions: bool = True) -> None:
    """Rules out what no peer of today needs. Versions are left alone where somebody has chosen them."""
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if versions:
        context.minimum_version = ssl.TLSVersion.TLSv1_2


def _offer(context: ssl.SSLContext, alpn: Iterable[str]) -> None:
    protocols = list(alpn)
    if protocols:
        context.set_alpn_protocols(protocols)


def _load_chain(
    context: ssl.SSLContext,
    certfile: str | os.PathLike[str],
    keyfile: str | os.PathLike[str] | None,
    password: _Password,
) -> None:
    _readable(certfile, "certificate")
    if keyfile is not None:
        _readable(keyfile, "key")
    key = certfile if keyfile is None else keyfile

    def ask() -> str | bytes:
        # Without this OpenSSL asks on the terminal, and a server hangs at its start.
        if password is None:
            raise TLSConfigError(f"the key in {os.fspath(key)!r} is encrypted, and no password was given")
        return password

    try:
        context.load_cert_chain(certfile, keyfile, ask)
    except ssl.SSLError as error:
        raise TLSConfigError(
            f"the certificate {os.fspath(certfile)!r} and the key in {os.fspath(key)!r} cannot be used: "
            f"they do not belong together, or one of them is not PEM ({error.reason or error})"
        ) from error


def _load_authorities(context: ssl.SSLContext, ca_certs: str | os.PathLike[str]) -> None:
    _readable(ca_certs, "authorities")
    try:
        context.load_verify_locations(ca_certs)
    except ssl.SSLError as error:
        path = os.fspath(ca_certs)
        raise TLSConfigError(
            f"no certificates of authorities in {path!r} ({error.reason or error})"
        ) from error


def _readable(path: str | os.PathLike[str], what: str) -> None:
    """Raises TLSConfigError, which names the file as the errors of `ssl` do not."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        path = os.fspath(path)
        raise TLSConfigError(f"the {what} file {path!r} cannot be read: {error.strerror}") from error
