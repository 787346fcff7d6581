"""The head of one HTTP/1 message, with its fields parsed when somebody asks.

The parser has validated every octet of the block by the time a `Head` leaves it, and has noted what framing needs.
Most requests are answered without a look at the other fields: so the block stays as it came, and `Head` answers
questions about it. `fields` takes it apart, `find` looks for one name, and `names`, a Bloom filter over the names
that the parser fills on its way, answers most questions for absent fields without touching the block.
"""

from __future__ import annotations

from eyewall.http.h1.grammar import TOKEN

_NAMES: dict[bytes, str] = {}
_NAMES_MOST = 1000


def field_name(raw: bytes) -> str:
    """Returns the usual spelling (`Content-Type`) of a field name. The last thousand are remembered."""
    name = _NAMES.get(raw)
    if name is None:
        name = "-".join([word.capitalize() for word in raw.decode("latin-1").split("-")])
        if len(_NAMES) >= _NAMES_MOST:
            _NAMES.clear()
        _NAMES[raw] = name
    return name


def is_token(raw: bytes) -> bool:
    """Tells whether `raw` is a token (RFC 9110 section 5.6.2)."""
    for octet in raw:
        if not TOKEN[octet]:
            return False
    return len(raw) > 0


class Head:
    """The head of a request (`method`, `target`) or of a response (`status`, `reason`).

    `minor`: of the version, HTTP/1.`minor`. `content_length`: -1 where none was given. `body`: whether content
    follows. `keep_alive`, `upgrade`, `expect_continue`: what the sender wants. `host`: the Host field, "" for none.
    `path` and `query` are of the target in origin-form; `authority` is of an absolute-form target, else "".
    `trailers`: fields that came after a chunked body, once they have.
    """

    __slots__ = (
        "authority",
        "block",
        "body",
        "chunked",
        "content_length",
        "expect_continue",
        "host",
        "keep_alive",
        "method",
        "minor",
        "names",
        "path",
        "query",
        "reason",
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
        wanted = name.decode("latin-1")
        for key, value in self.fields():
            if key.lower() == wanted:
                found = value if found is None else found + "," + value
        return found

    def fields(self) -> list[tuple[str, str]]:
        """Returns all fields in their order, names in their usual spelling, values as latin-1 text."""
        return parse_block(self.block)

    def rename(self, old: bytes, new: bytes) -> None:
        """Gives the field with the lower-case name `old` the name `new`."""
        wanted = old.decode("latin-1")
        spelled = new.decode("latin-1")
        lines = []
        for name, value in self.fields():
            lines.append(f"{spelled if name.lower() == wanted else name}: {value}\r\n")
        self.block = "".join(lines).encode("latin-1")
        one = 1
        self.names |= one << ((len(new) + (new[0] | 32) * 7) & 63)


def parse_block(block: bytes) -> list[tuple[str, str]]:
    """Takes a validated field block apart; its lines end in CRLF or LF throughout."""
    fields = []
    position = 0
    end = len(block)
    while position < end:
        start = position
        while position < end and block[position] != 58:
            position += 1
        name_end = position
        position += 1
        while position < end and (block[position] == 32 or block[position] == 9):
            position += 1
        value_start = position
        while position < end and block[position] != 10:
            position += 1
        value_end = position
        position += 1
        while value_end > value_start and (
            block[value_end - 1] == 13 or block[value_end - 1] == 32 or block[value_end - 1] == 9
        ):
            value_end -= 1
        name = block[start:name_end]
        spelled = _NAMES.get(name)
        fields.append(
            (spelled if spelled is not None else field_name(name), block[value_start:value_end].decode("latin-1"))
        )
    return fields
