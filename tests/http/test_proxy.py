import pytest

from eyewall.http.headers import HTTPHeaders
from eyewall.http.proxy import Trust, forwarded, is_ip

from .linear import assert_linear


def origin(text, trust=("5.5.5.5",)):
    return forwarded(HTTPHeaders.parse(text), "127.0.0.1", "http", trust)


@pytest.mark.parametrize(
    ("fields", "ip"),
    [
        ("", "127.0.0.1"),
        ("X-Real-IP: 4.4.4.4", "4.4.4.4"),
        ("X-Real-IP: 2620:0:1cfe:face:b00c::3", "2620:0:1cfe:face:b00c::3"),
        ("X-Real-Ip: 5.5.5.5", "5.5.5.5"),
        ("X-Forwarded-For: 127.0.0.1, 4.4.4.4", "4.4.4.4"),
        ("X-Forwarded-For: ::1, 2620:0:1cfe:face:b00c::3", "2620:0:1cfe:face:b00c::3"),
        ("X-Forwarded-For: 127.0.0.1, 4.4.4.4, 5.5.5.5", "4.4.4.4"),
        ("X-Forwarded-For: 5.5.5.5, 5.5.5.5", "5.5.5.5"),
        ("X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-For: 3.3.3.3", "3.3.3.3"),
        ("X-Real-Ip: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2", "1.1.1.1"),
        ("X-Real-Ip: bad\r\nX-Forwarded-For: 2.2.2.2", "127.0.0.1"),
        ("X-Forwarded-For: fe80::1%lo", "fe80::1%lo"),
        ("X-Real-IP: 4.4.4.4<script>", "127.0.0.1"),
        ("X-Forwarded-For: 4.4.4.4, 5.5.5.5<script>", "127.0.0.1"),
        ("X-Forwarded-For: 4.4.4.4, bad, 5.5.5.5", "127.0.0.1"),
        ("X-Forwarded-For: 4.4.4.4, , 5.5.5.5", "127.0.0.1"),
        ("X-Forwarded-For: 4.4.4.4:80", "127.0.0.1"),
        ("X-Real-IP: www.google.com", "127.0.0.1"),
        ("Forwarded: for=4.4.4.4", "127.0.0.1"),
    ],
)
def test_remote_ip(fields, ip):
    assert origin(fields) == (ip, "http")


@pytest.mark.parametrize(
    ("fields", "protocol"),
    [
        ("X-Scheme: https", "https"),
        ("X-Forwarded-Proto: https", "https"),
        ("X-Forwarded-Proto: https , http", "http"),
        ("X-Forwarded-Proto: http,https", "https"),
        ("X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https", "https"),
        ("X-Forwarded-Proto: unknown", "http"),
        ("X-Scheme: bad\r\nX-Forwarded-Proto: https", "http"),
        ("Forwarded: proto=https", "http"),
    ],
)
def test_protocol(fields, protocol):
    assert origin(fields) == ("127.0.0.1", protocol)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("Forwarded: for=4.4.4.4;proto=https;by=1.1.1.1", ("4.4.4.4", "https")),
        ('Forwarded: For="[2001:db8::1]:4711"; Proto=HTTPS', ("2001:db8::1", "https")),
        ("Forwarded: for=1.1.1.1, for=4.4.4.4:80, for=5.5.5.5;proto=https", ("4.4.4.4", "https")),
        ("Forwarded: for=1.1.1.1\r\nForwarded: for=4.4.4.4", ("4.4.4.4", "http")),
        ('Forwarded: for=4.4.4.4;x="a,for=1.1.1.1"', ("4.4.4.4", "http")),
        ("Forwarded: for=_hidden;proto=gopher", ("127.0.0.1", "http")),
        ("Forwarded: for=unknown", ("127.0.0.1", "http")),
        ('Forwarded: for="4.4.4.4', ("127.0.0.1", "http")),
        ("X-Real-Ip: 4.4.4.4\r\nX-Scheme: https", ("127.0.0.1", "http")),
        ("", ("127.0.0.1", "http")),
    ],
)
def test_the_standard_header(fields, expected):
    assert origin(fields, Trust(["5.5.5.5"], standard=True)) == expected


def test_is_ip():
    for good in ("1.2.3.4", "::", "::ffff:1.2.3.4", "fe80::1%eth0"):
        assert is_ip(good)
    for bad in ("", "1.2", "1.2.3.4\0", "01.2.3.4.5", "::1%", "::1%a b", "[::1]", "1.2.3.4\n", "é"):
        assert not is_ip(bad)


def test_linear():
    assert_linear(lambda n: origin("X-Forwarded-For: " + "5.5.5.5," * n + "x"))
    assert_linear(lambda n: origin("Forwarded: " + 'for="' * n, Trust(standard=True)))
