"""What an HTTP/1 engine says of the bytes it was fed; see `http.h1.engine`."""

from __future__ import annotations

#: Everything that was fed is taken; there is nothing to say until more comes.
NEED_DATA = 0
#: `engine.head` is complete.
HEAD = 1
#: `engine.data` is content of the message.
DATA = 2
#: The message is over.
END = 3
