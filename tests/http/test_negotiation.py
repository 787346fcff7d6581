import pytest

from eyewall.http.negotiation import choose_encoding, parse_qualities


def test_qualities():
    header = "text/html;level=1;q=0.4, */*;q=0.000 , a ; Q = 1.000, b;q=2, c;q=, d;q=-1, ,e;q=0.1234"
    assert parse_qualities(header) == [("text/html;level=1", 0.4), ("*/*", 0.0), ("a", 1.0)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("GZip, deflate", "gzip"),
        ("x-gzip", "gzip"),
        ("deflate, gzip;q=1.0, *;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0, *", "br"),
        ("*", "gzip"),
        ("*;q=0", None),
        ("br;q=0.5, gzip;q=0.4", "br"),
        ("identity;q=1, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.9", "gzip"),
        ("gzip;q=0, gzip", None),
        ("gzipp", None),
        ("gzip;q=abc", None),
    ],
)
def test_choose(header, expected):
    assert choose_encoding(header, ["gzip", "br"]) == expected
