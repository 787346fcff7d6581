"""What every server of the benchmark shares: its options, and what it must answer.

Each server is a script of its own (`python bench/servers/NAME.py --port N --static DIR`) and offers, where
the software can do it at all:

    GET  /plaintext         Hello, World!
    GET  /user/ID           {"id": ID, "name": "Ada Lovelace", "admin": true}
    POST /echo              the JSON document of the body, parsed and written again
    GET  /suspend           Hello, World!, after one real suspension
    POST /upload/buffered   the number of bytes of the body, which was held in memory as a whole
    POST /upload/streamed   the same, counted chunk by chunk
    GET  /download          10 MiB, written in chunks of 64 KiB as the client takes them
    GET  /static/NAME       a file of DIR
    WS   /ws                echo, no compression
    WS   /ws-deflate        echo with permessage-deflate
    WS   /room              every message goes to everybody connected here

Scripts in this folder must not carry the name of a package they import.
"""

import argparse
from pathlib import Path

HOST = "127.0.0.1"
HELLO = b"Hello, World!"
CHUNK = b"0123456789abcdef" * 4096
CHUNKS = 160
DOWNLOAD = len(CHUNK) * CHUNKS
UPLOAD_LIMIT = 16 << 20
#: Idle connections are held for longer than the usual keep-alive timeouts.
KEEP_ALIVE = 300


def user(identity: str) -> dict[str, object]:
    """Returns what `/user/ID` answers."""
    return {"id": identity, "name": "Ada Lovelace", "admin": True}


def options() -> argparse.Namespace:
    """Returns the options of a server: `port` and `static`, a folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--static", type=Path, default=Path("."))
    return parser.parse_args()
