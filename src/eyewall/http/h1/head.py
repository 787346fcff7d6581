"""The head of one HTTP/1 message, with its fields parsed when somebody asks.

The parser has validated every octet of the block by the time a `Head` leaves it, and has noted what framing needs.
Most requests are answered without a look at the other fields: so the block stays as it came, and `Head` answers
questions about it. `fields` takes it apart, `find` looks for one name, and `names`, a Bloom filter over the names
that the parser fills on its way, answers most questions for absent fields without touching the block.
"""

from __future__ import annotations

from eyewall.http.names import spelling, spellings


def same(data: bytes, start: int, lower: bytes) -> bool:
    """Tells whether `lower` stands at `start`, whatever its case; there are that many octets from there on."""
    at = start
    for octet in lower:
        other = data[at]
        if 65 <= other <= 90:
            other += 32
        if other != octet:
            return False
        at += 1
    return True


class Head:
    """The head of a request (`method`, `target`) or of a response (`status`, `reason`).

    `minor`: of the version, HTTP/1.`minor`. `content_length`: -1 where none was given. `body`: whether content
    follows. `keep_alive`, `upgrade`, `expect_continue`: what the sender wants. `host`: the Host field, "" for none.
    `path` and `query` are of the target in origin-form; `authority` is of an absolute-form target, else "".
    `trailers`: fields that came after a chunked body, once they have. The fields stand in `block` from `start` to
    `end`: a small block is not cut out of what came with it.
    """

    __slots__ = (
        "authority",
        "block",
        "body",
        "chunked",
        "content_length",
        "end",
        "expect_continue",
        "host",
        "keep_alive",
        "method",
        "minor",
        "names",
        "path",
        "query",
        "reason",
        "start",
        "status",
        "target",
        "trailers",
        "upgrade",
    )

    def __init__(self) -> None:
        self.method = ""
        self.target = ""
        self.path = ""
        self.query = ""
        self.authority = ""
        self.host = ""
        self.reason = ""
        self.status = 0
        self.minor = 1
        self.block = b""
        self.start = 0
        self.end = 0
        self.names = 0
        self.content_length = -1
        self.chunked = False
        self.body = False
        self.keep_alive = True
        self.upgrade = False
        self.expect_continue = False
        self.trailers: list[tuple[str, str]] | None = None

    def may_have(self, name: bytes) -> bool:
        """Tells whether a field of this (lower-case) name can be there; False is certain."""
        return (self.names >> ((len(name) + name[0] * 7) & 63)) & 1 != 0

    def find(self, name: bytes) -> str | None:
        """Returns the value of the field with this lower-case name, several joined by commas; None without one."""
        if not self.may_have(name):
            return None
        found = None
        block = self.block
        end = self.end
        length = len(name)
        start = self.start
        while start + length < end:
            position = start + length
            matches = block[position] == 58 and same(block, start, name)
            if not matches:
                position = start
            while block[position] != 10:
                position += 1
            if matches:
                value = _value(block, start + length + 1, position)
                found = value if found is None else found + "," + value
            start = position + 1
        return found

    def fields(self) -> list[tuple[str, str]]:
        """Returns all fields in their order, names in their usual spelling, values as latin-1 text."""
        return parse_block(self.block, self.start, self.end)

    def rename(self, old: bytes, new: bytes) -> None:
        """Gives the field with the lower-case name `old` the name `new`."""
        wanted = old.decode("latin-1")
        spelled = new.decode("latin-1")
        lines = [
            f"{spelled if name.lower() == wanted else name}: {value}\r\n" for name, value in self.fields()
        ]
        self.block = "".join(lines).encode("latin-1")
        self.start = 0
        self.end = len(self.block)
        one = 1
        self.names |= one << ((len(new) + (new[0] | 32) * 7) & 63)


def _value(block: bytes, start: int, end: int) -> str:
    """Returns the field value that stands between these two, without the white space around it."""
    while start < end and (block[start] == 32 or block[start] == 9):
        start += 1
    while end > start and (block[end - 1] == 13 or block[end - 1] == 32 or block[end - 1] == 9):
        end -= 1
    return block[start:end].decode("latin-1")


def parse_block(block: bytes, position: int, end: int) -> list[tuple[str, str]]:
    """Takes the validated fields between two positions apart; each line has a colon and ends in CRLF or LF."""
    fields = []
    while position < end:
        start = position
        while block[position] != 58:
            position += 1
        name = block[start:position].decode("latin-1")
        position += 1
        start = position
        while block[position] != 10:
            position += 1
        known = spellings.get(name)
        fields.append((known if known is not None else spelling(name), _value(block, start, position)))
        position += 1
    return fields
