"""Requests made by chance, valid and damaged, for tests that read thousands of them.

A seeded `random.Random` makes them and not hypothesis: ten thousand cost a second that way, and a failing one is
named by its number.
"""

from __future__ import annotations

from random import Random

METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"PROPFIND", b"REPORT"]
TARGETS = [
    b"/",
    b"/a/b/c?d=e&f",
    b"/%20%C3%A9",
    b"/?",
    b"/a;b=c,d:e@f!g$h'i(j)k*l+m",
    b"/~_-.",
    b"//a",
    b"/a?b?c/d",
    b"http://h/a",
    b"http://h?x",
    b"http://h",
    b"*",
]
FIELDS = [
    (b"Accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64)"),
    (b"Cookie", b"a=b; c=d"),
    (b"X-Empty", b""),
    (b"X-Latin", b"\xe9\xff"),
    (b"X-Tab", b"a\tb"),
    (b"X", b"y" * 50),
    (b"Content-Type", b"text/plain"),
    (b"Connection", b"keep-alive"),
    (b"Connection", b"close"),
    (b"Connection", b"Keep-Alive, TE"),
    (b"TE", b"trailers"),
    (b"Via", b"1.1 a, 1.1 b"),
    (b"Upgrade", b"h2c"),
    (b"Connection", b"Upgrade"),
    (b"Expect", b"100-continue"),
    (b"!#$%&'*+-.^_`|~", b"token"),
]
EXTENSIONS = [b"", b"", b"", b"", b";a", b";a=b", b';a="b c"', b";a=b;c"]
#: What does the most harm where it is put, and single octets of every kind.
POISON = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\xa0",
    b"\xff",
    b":",
    b",",
    b";",
    b"#",
    b"?",
    b"0",
    b"-",
    b"+",
    b"_",
    b"x",
    b"\r\n ",
    b"\r\nContent-Length: 3",
    b"\r\nTransfer-Encoding: chunked",
    b"\r\nTransfer-Encoding: identity",
    b"\r\nHost: h",
    b"\r\nConnection: close",
    b"\r\nX: y",
    b"HTTP/1.1",
    b"0\r\n\r\n",
]


def request(random: Random) -> bytes:
    """A valid request."""
    method = random.choice(METHODS)
    target = random.choice(TARGETS)
    if target == b"*":
        method = b"OPTIONS"
    elif random.random() < 0.02:
        method, target = b"CONNECT", b"h:80"
    old = random.random() < 0.15
    minor = 0 if old else random.choice([1] * 20 + [2, 9])
    space = random.choice([b" ", b"", b"\t", b"  "])
    fields = [
        (b"Host", target if method == b"CONNECT" else b"h"),
        *random.sample(FIELDS, random.randrange(6)),
    ]
    body = b""
    kind = random.random() if method != b"CONNECT" else 1.0
    content = bytes(random.choices(b"ab\r\n0;", k=random.randrange(40)))
    if kind < 0.3:
        fields.append((random.choice([b"Content-Length", b"content-length"]), b"%d" % len(content)))
        body = content
    elif kind < 0.6 and not old:
        fields.append((b"Transfer-Encoding", random.choice([b"chunked", b"Chunked"])))
        while content:
            size = random.randrange(1, len(content) + 1)
            body += b"%x%b\r\n%b\r\n" % (size, random.choice(EXTENSIONS), content[:size])
            content = content[size:]
        trailers = b"X-Trailer: t\r\n" if random.random() < 0.3 else b""
        body += b"0%b\r\n%b\r\n" % (random.choice(EXTENSIONS), trailers)
    random.shuffle(fields)
    head = b"".join(b"%b:%b%b\r\n" % (name, space, value) for name, value in fields)
    return b"%b %b HTTP/1.%d\r\n%b\r\n%b" % (method, target, minor, head, body)


def damaged(random: Random, data: bytes) -> bytes:
    """`data` with something put in, taken out, doubled or replaced."""
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        at = random.randrange(len(data) + 1)
        # Most of it where the framing is: near the line ends.
        if random.random() < 0.5:
            ends = [index for index in range(len(data)) if data[index] in b"\r\n: "]
            if ends:
                at = min(len(data), max(0, random.choice(ends) + random.choice([-1, 0, 0, 1])))
        how = random.random()
        if how < 0.45:
            data = data[:at] + random.choice(POISON) + data[at:]
        elif how < 0.65:
            data = data[:at] + bytes([random.randrange(256)]) + data[at:]
        elif how < 0.8:
            data = data[:at] + data[at + random.choice([1, 1, 2, 5]) :]
        elif how < 0.9:
            data = data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
        else:
            lines = data.split(b"\r\n")
            line = random.randrange(len(lines))
            lines.insert(random.randrange(len(lines)), lines[line])
            data = b"\r\n".join(lines)
    return data


def stream(random: Random) -> bytes:
    """One to three requests, half of the time with some damage."""
    data = b"".join(request(random) for _ in range(random.choice([1, 1, 1, 2, 3])))
    return damaged(random, data) if random.random() < 0.6 else data


def pieces(random: Random, data: bytes) -> list[bytes]:
    """`data`, cut anyhow."""
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice([1, 2, 5, 20])))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
