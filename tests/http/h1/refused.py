"""Requests that must be refused, and the status that must answer them.

`native`, `tornado`: the status under each profile; None where that profile takes the request. Bytes that are cut off
where the refusal is due have no head to go on with.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refused:
    name: str
    data: bytes
    native: int | None
    tornado: int | None
    #: The application has seen the head by then.
    in_body: bool = False

    def __str__(self) -> str:
        return self.name


def _case(
    name: str, data: bytes, status: int = 400, tornado: int | None = -1, in_body: bool = False
) -> Refused:
    return Refused(name, data, status, status if tornado == -1 else tornado, in_body)


def _line(name: str, line: bytes, status: int = 400, tornado: int | None = -1) -> Refused:
    return _case(f"line: {name}", line + b"\r\nHost: a\r\n\r\n", status, tornado)


def _field(name: str, field: bytes, status: int = 400, tornado: int | None = -1) -> Refused:
    return _case(f"field: {name}", b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n", status, tornado)


def _host(name: str, value: bytes) -> Refused:
    return _case(f"host: {name}", b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n")


def _length(name: str, value: bytes, status: int = 400, tornado: int | None = -1) -> Refused:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:" + value + b"\r\n\r\n"
    return _case(f"length: {name}", head + b"hello", status, tornado)


def _coding(name: str, value: bytes, status: int = 400) -> Refused:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:" + value + b"\r\n\r\n"
    return _case(f"coding: {name}", head + b"5\r\nhello\r\n0\r\n\r\n", status)


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunk(name: str, body: bytes, status: int = 400) -> Refused:
    return _case(f"chunk: {name}", CHUNKED + body, status, in_body=True)


#: Framing, routing, the connection, modifiers, authentication, the nature of the content.
FORBIDDEN_TRAILERS = [
    "Content-Length",
    "Transfer-Encoding",
    "Host",
    "Connection",
    "Upgrade",
    "Trailer",
    "TE",
    "Expect",
    "Content-Type",
    "Content-Encoding",
    "Content-Range",
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "Cache-Control",
    "Max-Forwards",
    "Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "If-Range",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "Keep-Alive",
    "Proxy-Connection",
]

CASES: list[Refused] = [
    # The request line.
    _case("line: garbage", b"garbage\r\n\r\n"),
    _case("line: only a method", b"GET\r\n\r\n"),
    _case("line: HTTP/0.9", b"GET /\r\n\r\n"),
    _line("no method", b" / HTTP/1.1"),
    _line("no target", b"GET  HTTP/1.1"),
    _line("two spaces before the target", b"GET  / HTTP/1.1"),
    _line("two spaces before the version", b"GET /  HTTP/1.1"),
    _line("space behind the version", b"GET / HTTP/1.1 "),
    _line("space before the method", b" GET / HTTP/1.1"),
    _line("tabs for spaces", b"GET\t/\tHTTP/1.1"),
    _line("form feeds for spaces", b"GET\x0c/\x0cHTTP/1.1"),
    _line("non-breaking spaces for spaces", b"GET\xa0/\xa0HTTP/1.1"),
    _line("space in the target", b"GET /a b HTTP/1.1"),
    _line("lower-case version", b"GET / http/1.1"),
    _line("version without a minor", b"GET / HTTP/1"),
    _line("version with an empty minor", b"GET / HTTP/1."),
    _line("version with a long minor", b"GET / HTTP/1.10"),
    _line("version with a long major", b"GET / HTTP/01.1"),
    _line("version with a comma", b"GET / HTTP/1,1"),
    _line("version with a letter", b"GET / HTTP/1.x"),
    _line("version with other digits", "GET / HTTP/1.١".encode()),
    _line("another protocol", b"GET / HTTPS/1.1"),
    _line("yet another protocol", b"GET / ICY/1.1"),
    _line("space in the version", b"GET / HTTP /1.1"),
    _line("version 0.9", b"GET / HTTP/0.9", 505),
    _line("version 2.0", b"GET / HTTP/2.0", 505),
    _line("version 3.0", b"GET / HTTP/3.0", 505),
    _case("line: preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    _line("NUL in the method", b"G\0T / HTTP/1.1"),
    _line("NUL in the target", b"GET /\0 HTTP/1.1"),
    _line("NUL in the version", b"GET / HTTP/1.\0"),
    _line("NUL behind the version", b"GET / HTTP/1.1\0"),
    _line("CR in the target", b"GET /\ra HTTP/1.1"),
    _line("CR behind the version", b"GET / HTTP/1.1\r"),
    _case("line: ends in CR", b"GET / HTTP/1.1\rHost: a\r\n\r\n"),
    _line("escape in the target", b"GET /\x1b[0m HTTP/1.1"),
    _line("DEL in the target", b"GET /\x7f HTTP/1.1"),
    _line("beyond ASCII in the target", b"GET /\xc3\xa9 HTTP/1.1", tornado=None),
    _line("fragment", b"GET /a#b HTTP/1.1", tornado=None),
    _line("comma in the method", b"FOO,BAR / HTTP/1.1"),
    _line("parenthesis in the method", b"GET() / HTTP/1.1"),
    _line("beyond ASCII in the method", b"G\xc9T / HTTP/1.1"),
    _line("over-long method", b"X" * 33 + b" / HTTP/1.1", 501),
    _case("line: TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64))),
    _case("line: TLS without a line end", b"\x16\x03\x01\x00\xa5\x01\x00"),
    _case("line: SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
    _case("line: SOCKS", b"\x05\x01\x00"),
    _case("line: PROXY", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    _case("line: five empty ones before", b"\r\n" * 5 + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    _case("line: bare LF before", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    _case("line: bare CR before", b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    # The target.
    _line("path without a slash", b"GET a HTTP/1.1"),
    _line("* for GET", b"GET * HTTP/1.1"),
    _line("* and more", b"OPTIONS *a HTTP/1.1"),
    _line("query alone", b"GET ?a HTTP/1.1"),
    _line("CONNECT to a path", b"CONNECT / HTTP/1.1"),
    _line("CONNECT without a port", b"CONNECT a HTTP/1.1"),
    _line("CONNECT with an empty port", b"CONNECT a: HTTP/1.1"),
    _line("CONNECT to a named port", b"CONNECT a:http HTTP/1.1"),
    _line("CONNECT to a URL", b"CONNECT http://a:80/ HTTP/1.1"),
    _line("CONNECT with user information", b"CONNECT u@a:80 HTTP/1.1"),
    _line("authority for GET", b"GET a:80 HTTP/1.1"),
    _line("another scheme", b"GET ftp://a/ HTTP/1.1"),
    _line("scheme alone", b"GET http: HTTP/1.1"),
    _line("scheme with one slash", b"GET http:/a/ HTTP/1.1"),
    _line("no authority", b"GET http:///a HTTP/1.1"),
    _line("authority with user information", b"GET http://u:p@a/ HTTP/1.1"),
    _line("authority with a backslash", b"GET http://a\\b/ HTTP/1.1"),
    _line("authority with too large a port", b"GET http://a:65536/ HTTP/1.1"),
    _line("authority with a torn address", b"GET http://[::1/ HTTP/1.1"),
    _line("authority that is not the Host", b"GET http://b/ HTTP/1.1"),
    _line("authority that is not the Host by its port", b"GET http://a:80/ HTTP/1.1"),
    _line("host smuggled behind a fragment", b"GET http://b#@a/ HTTP/1.1"),
    # Fields.
    _field("folded", b"X: a\r\n b"),
    _field("folded with a tab", b"X: a\r\n\tb"),
    _case("field: the first one folded", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    _field("empty fold", b"X: a\r\n \r\nY: b"),
    _field("space before the colon", b"X : a"),
    _field("tab before the colon", b"X\t: a"),
    _field("no colon", b"asdf"),
    _field("no name", b": a"),
    _field("NUL in the name", b"X\0: a"),
    _field("non-breaking space in the name", b"X\xa0: a"),
    _field("CR in the name", b"X\rY: a"),
    _field("parenthesis in the name", b"X(): a"),
    _field("space in the name", b"X Y: a"),
    _field("beyond ASCII in the name", b"\xc3\xa9: a"),
    _field("NUL", b"X: a\0b"),
    _field("CR", b"X: a\rb"),
    _field("CR at the end", b"X: a\r"),
    _field("LF", b"X: a\nY: b"),
    _field("vertical tab", b"X: a\x0bb"),
    _field("form feed", b"X: \x0ca"),
    _field("escape", b"X: \x1b[31m"),
    _field("DEL", b"X: \x7f"),
    _case("field: bare CR for a line", b"GET / HTTP/1.1\r\nHost: a\r\n\r\rX: y\r\n\r\n"),
    _case("ends: all LF", b"GET / HTTP/1.1\nHost: a\n\n", tornado=None),
    _case("ends: LF behind the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    _case("ends: LF behind a field", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
    _case("ends: CRLF behind a field", b"GET / HTTP/1.1\nHost: a\r\nX: y\n\n"),
    _case("ends: LF for the empty line", b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    _case("ends: CRLF for the empty line", b"GET / HTTP/1.1\nHost: a\n\r\n"),
    _case("ends: an empty line of another kind before", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    # The host.
    _case("host: none", b"GET / HTTP/1.1\r\n\r\n"),
    _case("host: none, with an absolute target", b"GET http://a/ HTTP/1.1\r\n\r\n"),
    _field("Host again", b"Host: b"),
    _field("Host again, the same", b"hOST: a"),
    _case("host: twice in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
    _host("a list", b"a, b"),
    _host("a list without spaces", b"a,b"),
    _host("space", b"foo bar"),
    _host("tab", b"foo\tbar"),
    _host("slash", b"a/b"),
    _host("URL", b"http://a"),
    _host("user information", b"u@a"),
    _host("no host, but a port", b":80"),
    _host("port of letters", b"a:b"),
    _host("two ports", b"a:80:80"),
    _host("negative port", b"a:-1"),
    _host("signed port", b"a:+1"),
    _host("too large a port", b"a:65536"),
    _host("over-long port", b"a:000080"),
    _host("address without its end", b"[::1"),
    _host("address without its beginning", b"::1]"),
    _host("address that is none", b"[zz]"),
    _host("address with a zone", b"[fe80::1%25eth0]"),
    _host("address and more", b"[::1]a"),
    _host("empty address", b"[]"),
    _host("bad escape", b"a%zz"),
    _host("torn escape", b"a%4"),
    _host("beyond ASCII", b"\xc3\xa9"),
    _host("non-breaking space", b"a\xa0"),
    _host("quotes", b'"a"'),
    _host("backslash", b"a\\b"),
    _host("query", b"a?b"),
    _host("fragment", b"a#b"),
    # Content-Length.
    _length("signed", b" +5"),
    _length("negative", b" -5"),
    _length("underscore", b" 1_0"),
    _length("hexadecimal", b" 0x5"),
    _length("empty", b""),
    _length("white space", b"  \t "),
    _length("letters", b" foo"),
    _length("decimal point", b" 5.0"),
    _length("exponent", b" 1e1"),
    _length("two numbers", b" 5 5"),
    _length("semicolon", b" 5;"),
    _length("other digits", "٥".encode()),
    _length("superscript", " ²".encode("latin-1")),
    _length("non-breaking space before", b" \xa05"),
    _length("non-breaking space behind", b" 5\xa0"),
    _length("next-line character behind", b" 5\x85"),
    _length("list of the same", b" 5, 5", tornado=None),
    _length("list of different ones", b" 5, 6"),
    _length("list with an empty item", b" 5,"),
    _length("list with a non-breaking space", b" 5,\xa05"),
    _length("list of different spellings", b" 5, 05"),
    _length("repeated", b" 5\r\nContent-Length: 5", tornado=None),
    _length("repeated, different", b" 5\r\nContent-Length: 6"),
    _length("repeated, different case", b" 5\r\ncontent-length: 6"),
    _length("repeated, one malformed", b" 5\r\nContent-Length: x"),
    _length("overflows", b" 18446744073709551621", 413),
    _length("overflows with zeros", b" " + b"0" * 30 + b"5", 413),
    # Transfer-Encoding.
    _coding("with a length", b" chunked\r\nContent-Length: 5"),
    _case(
        "coding: behind a length",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    _case(
        "coding: with a length of nothing",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    _case(
        "coding: HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", tornado=None
    ),
    _coding("repeated", b" chunked\r\nTransfer-Encoding: chunked"),
    _coding("repeated, different", b" chunked\r\nTransfer-Encoding: identity"),
    _coding("chunked twice", b" chunked, chunked"),
    _coding("chunked first", b" chunked, gzip"),
    _coding("gzip before", b" gzip, chunked", 501),
    _coding("gzip", b" gzip", 501),
    _coding("identity", b" identity", 501),
    _coding("identity before", b" identity, chunked", 501),
    _coding("xchunked", b" xchunked", 501),
    _coding("chunkedx", b" chunkedx", 501),
    _coding("parameter", b" chunked;q=1"),
    _coding("empty", b""),
    _coding("comma before", b" ,chunked"),
    _coding("comma behind", b" chunked,"),
    _coding("quoted", b' "chunked"'),
    _coding("non-breaking space behind", b" chunked\xa0"),
    _coding("non-breaking space before", b" \xa0chunked"),
    _coding("vertical tab before", b" \x0bchunked"),
    _coding("vertical tab behind", b" chunked\x0b"),
    _coding("space within", b" chun ked"),
    _coding("folded", b"\r\n chunked"),
    _coding("space before the colon", b" chunked\r\nTransfer-Encoding : identity"),
    _case("length: of a CONNECT", b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello"),
    _case(
        "coding: of a CONNECT",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    # Expectations.
    _field("unknown expectation", b"Expect: 200-ok", 417),
    _field("expectation with more", b"Expect: 100-continue, x", 417),
    _field("empty expectation", b"Expect:", 417),
    # Chunks.
    _chunk("letter", b"g\r\n"),
    _chunk("no size", b"\r\nhello\r\n0\r\n\r\n"),
    _chunk("signed", b"+5\r\nhello\r\n0\r\n\r\n"),
    _chunk("negative", b"-5\r\nhello\r\n0\r\n\r\n"),
    _chunk("prefixed", b"0x5\r\nhello\r\n0\r\n\r\n"),
    _chunk("underscore", b"1_0\r\n1234567890123456\r\n0\r\n\r\n"),
    _chunk("space before", b" 5\r\nhello\r\n0\r\n\r\n"),
    _chunk("space behind", b"5 \r\nhello\r\n0\r\n\r\n"),
    _chunk("tab behind", b"5\t\r\nhello\r\n0\r\n\r\n"),
    _chunk("non-breaking space behind", b"5\xa0\r\nhello\r\n0\r\n\r\n"),
    _chunk("NUL behind", b"5\0\r\nhello\r\n0\r\n\r\n"),
    _chunk("16 digits", b"1000000000000005\r\nhello\r\n0\r\n\r\n"),
    _chunk("16 digits, zeros", b"0000000000000005\r\nhello\r\n0\r\n\r\n"),
    _chunk("overflows", b"ffffffffffffffffff5\r\nhello\r\n0\r\n\r\n"),
    _chunk("announces too much", b"fffffffff\r\n", 413),
    _chunk("LF behind the size", b"5\nhello\r\n0\r\n\r\n"),
    _chunk("LF behind the content", b"5\r\nhello\n0\r\n\r\n"),
    _chunk("LF behind the last size", b"5\r\nhello\r\n0\n\r\n"),
    _chunk("LF behind the trailers", b"5\r\nhello\r\n0\r\n\n"),
    _chunk("CR behind the size", b"5\rhello\r\n0\r\n\r\n"),
    _chunk("two CRs behind the size", b"5\r\r\nhello\r\n0\r\n\r\n"),
    _chunk("nothing behind the content", b"5\r\nhello0\r\n\r\n"),
    _chunk("more content than announced", b"5\r\nhelloXX\r\n0\r\n\r\n"),
    _chunk("less content than announced", b"6\r\nhello\r\n0\r\n\r\n"),
    _chunk("comma", b"5,a\r\nhello\r\n0\r\n\r\n"),
    _chunk("empty extension", b"5;\r\nhello\r\n0\r\n\r\n"),
    _chunk("extension without a name", b"5;=a\r\nhello\r\n0\r\n\r\n"),
    _chunk("extension without a value", b"5;a=\r\nhello\r\n0\r\n\r\n"),
    _chunk("extension of two words", b"5;a b\r\nhello\r\n0\r\n\r\n"),
    _chunk("extension with a value of two words", b"5;a=b c\r\nhello\r\n0\r\n\r\n"),
    _chunk("extension with an open quote", b'5;a="b\r\nhello\r\n0\r\n\r\n'),
    _chunk("extension with more behind the quote", b'5;a="b"c\r\nhello\r\n0\r\n\r\n'),
    _chunk("extension with an escaped end of quote", b'5;a="b\\"\r\nhello\r\n0\r\n\r\n'),
    _chunk("extension with a NUL", b"5;a\0\r\nhello\r\n0\r\n\r\n"),
    _chunk("extension with a quoted NUL", b'5;a="\0"\r\nhello\r\n0\r\n\r\n'),
    _chunk("extension with an escaped NUL", b'5;a="\\\0"\r\nhello\r\n0\r\n\r\n'),
    _chunk("extension with a CR", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    _chunk("extension with a LF", b"5;a\nhello\r\n0\r\n\r\n"),
    _chunk("extension with a quoted LF", b'5;a="\n"\r\nhello\r\n0\r\n\r\n'),
    _chunk("extension of bytes beyond ASCII", b"5;\xff\r\nhello\r\n0\r\n\r\n"),
    # Trailers.
    _chunk("trailer without a colon", b"0\r\nasdf\r\n\r\n"),
    _chunk("trailer without a name", b"0\r\n: a\r\n\r\n"),
    _chunk("trailer with a space before the colon", b"0\r\nX : a\r\n\r\n"),
    _chunk("trailer with NUL", b"0\r\nX: a\0\r\n\r\n"),
    _chunk("trailer with CR", b"0\r\nX: a\rb\r\n\r\n"),
    _chunk("trailer ending in LF", b"0\r\nX: a\n\r\n"),
    _chunk("trailer folded", b"0\r\nX: a\r\n b\r\n\r\n"),
    _chunk("trailers ending in LF", b"0\r\nX: a\r\n\n"),
    _chunk("a request for trailers", b"0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    *(_chunk(f"trailer {name}", b"0\r\n%b: 5\r\n\r\n" % name.encode()) for name in FORBIDDEN_TRAILERS),
]
