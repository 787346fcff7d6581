"""TLS contexts: safe defaults, and errors that say what is wrong with a file."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from eyewall.net.tls import (
    TLSConfigError,
    client_context,
    server_context,
    ssl_options_to_context,
    ssl_wrap_socket,
)

from .loops import TLS

CERT, KEY = TLS / "cert.pem", TLS / "key.pem"


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> tuple[Any, Any]:
    """Runs a handshake in memory and returns both ends."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(10):
        waiting = 0
        for end in (ours, theirs):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting += 1
        if not waiting:
            return theirs, ours
    raise AssertionError("the handshake does not end")


def test_server_and_client() -> None:
    server = server_context(CERT, KEY)
    _, ours = handshake(server, client_context(ca_certs=CERT, alpn=["http/1.1"]))
    assert ours.version() == "TLSv1.3"
    assert ours.compression() is None
    assert ours.selected_alpn_protocol() == "http/1.1"
    assert ours.getpeercert()["subject"] == ((("commonName", "localhost"),),)


def test_the_servers_order_of_protocols_counts() -> None:
    server = server_context(CERT, KEY, alpn=["h2", "http/1.1"])
    _, ours = handshake(server, client_context(ca_certs=CERT, alpn=["http/1.1", "h2"]))
    assert ours.selected_alpn_protocol() == "h2"
    _, ours = handshake(server_context(CERT, KEY, alpn=[]), client_context(ca_certs=CERT, alpn=["h2"]))
    assert ours.selected_alpn_protocol() is None


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_versions_are_refused() -> None:
    old = client_context(ca_certs=CERT)
    old.minimum_version = ssl.TLSVersion.TLSv1_1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        handshake(server_context(CERT, KEY), old)


def test_a_client_verifies() -> None:
    server = server_context(CERT, KEY)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client_context(ca_certs=CERT), "example.com")
    handshake(server, client_context(verify=False), "example.com")


def test_client_certificates() -> None:
    server = server_context(CERT, KEY, ca_certs=CERT)
    theirs, _ = handshake(server, client_context(ca_certs=CERT, certfile=CERT, keyfile=KEY))
    assert theirs.getpeercert()["subject"] == ((("commonName", "localhost"),),)
    with pytest.raises(ssl.SSLError):
        theirs, _ = handshake(server, client_context(ca_certs=CERT))
        theirs.read(1)


def test_a_combined_file_and_a_password(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(KEY.read_bytes() + CERT.read_bytes())
    server_context(both)
    server_context(str(CERT), str(TLS / "encrypted.pem"), password="secret")


@pytest.mark.parametrize(
    ("cert", "key", "password", "says"),
    [
        (TLS / "missing.pem", KEY, None, "missing.pem' cannot be read: No such file"),
        (CERT, TLS / "missing.pem", None, "key file .*missing.pem' cannot be read"),
        (CERT, TLS / "other.pem", None, "cannot be used"),
        (Path(__file__), KEY, None, "test_tls.py"),
        (CERT, TLS / "encrypted.pem", None, "encrypted.pem' is encrypted, and no password"),
        (CERT, TLS / "encrypted.pem", "wrong", "encrypted.pem"),
        (CERT, None, None, "cannot be used"),
        (TLS, KEY, None, "cannot be read"),
    ],
)
def test_errors_name_the_file(cert: Path, key: Path | None, password: str | None, says: str) -> None:
    with pytest.raises(TLSConfigError, match=says):
        server_context(cert, key, password=password)


def test_errors_of_authorities_name_the_file() -> None:
    with pytest.raises(TLSConfigError, match="missing"):
        server_context(CERT, KEY, ca_certs=TLS / "missing.pem")
    with pytest.raises(TLSConfigError, match="test_tls"):
        client_context(ca_certs=__file__)


def test_a_context_is_taken_as_it_is() -> None:
    context = client_context(verify=False)
    assert ssl_options_to_context(context) is context
    assert ssl_options_to_context(context, server_side=True) is context


def test_option_dictionaries() -> None:
    server = ssl_options_to_context({"certfile": str(CERT), "keyfile": str(KEY)}, server_side=True)
    assert server.options & ssl.OP_NO_COMPRESSION
    client = ssl_options_to_context({"ca_certs": str(CERT)}, server_side=False)
    assert client.check_hostname
    handshake(server, client)
    careless = ssl_options_to_context({"cert_reqs": ssl.CERT_NONE}, server_side=False)
    handshake(server, careless, "example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, ssl_options_to_context({}, server_side=False))
    chosen = ssl_options_to_context(
        {"certfile": str(CERT), "keyfile": str(KEY), "ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"}, True
    )
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" in [cipher["name"] for cipher in chosen.get_ciphers()]


def test_without_a_role_python_warns() -> None:
    with pytest.warns(DeprecationWarning, match="PROTOCOL_TLS"):
        context = ssl_options_to_context({"certfile": str(CERT), "keyfile": str(KEY)})
    assert context.protocol == ssl.PROTOCOL_TLS


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"certfle": "x"}, "unknown TLS options: 'certfle'"),
        ({"keyfile": str(KEY)}, "needs 'certfile'"),
        ({"certfile": "missing.pem"}, "missing.pem"),
        ({"ciphers": "NO-SUCH-CIPHER"}, "NO-SUCH-CIPHER"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(TLSConfigError, match=says):
        ssl_options_to_context(options, server_side=True)


def test_a_key_without_its_certificate_is_a_missing_key() -> None:
    """As Tornado documents it; the message is for people nevertheless."""
    with pytest.raises(KeyError) as caught:
        ssl_options_to_context({"keyfile": str(KEY)}, server_side=True)
    assert str(caught.value) == "the TLS option 'keyfile' needs 'certfile' as well"


def test_wrapping_sockets() -> None:
    one, two = socket.socketpair()
    received: list[bytes] = []

    def serve() -> None:
        options = {"certfile": str(CERT), "keyfile": str(KEY)}
        with ssl_wrap_socket(one, options, server_side=True) as wrapped:
            received.append(wrapped.recv(5))

    thread = threading.Thread(target=serve)
    thread.start()
    options = {"ca_certs": str(CERT)}
    with ssl_wrap_socket(two, options, server_hostname="localhost", server_side=False) as wrapped:
        wrapped.sendall(b"hello")
        thread.join()
    assert received == [b"hello"]
