"""How much the demo takes, all in one place. Sizes are bytes, times seconds.

It may be open to strangers, so nothing in it grows without an end.
"""

from __future__ import annotations

from eyewall.guard.profile import KIB, MIB, NATIVE

#: The server's limits, made narrower where the demo needs less. Uploads have a limit of their own.
PROFILE = NATIVE.replace(
    name="demo",
    body_bytes=64 * KIB,
    connections=1000,
    websocket_message_bytes=8 * KIB,
    websocket_write_bytes=MIB,
    multipart_parts=20,
)

NAME_CHARS = 40

# -- chat ---------------------------------------------------------------------------------------------------
MESSAGE_CHARS = 1000
#: What was said last: so many messages, so many bytes of them, for so long.
CHAT_HISTORY = 50
CHAT_BYTES = 512 * KIB
CHAT_SECONDS = 24 * 3600.0
CHAT_SOCKETS = 200
#: A WebSocket may say this many things at once, and then one in each interval.
CHAT_BURST = 8
CHAT_INTERVAL = 0.5

# -- live numbers -------------------------------------------------------------------------------------------
#: Samples that are kept, one a second.
SAMPLES = 120
SAMPLES_SECONDS = 600.0
STREAMS = 200
#: How long the button that blocks the loop does so, and how often it may be pressed.
BLOCK_SECONDS = 0.4
BLOCK_INTERVAL = 1.0

# -- files --------------------------------------------------------------------------------------------------
UPLOAD_BYTES = 32 * MIB
SHELF_BYTES = 256 * MIB
SHELF_FILES = 100
FILENAME_CHARS = 120

# -- database -----------------------------------------------------------------------------------------------
#: Work that waits for the database's thread; more is refused with 503.
DATABASE_QUEUE = 64
TASKS = 1000
TASK_CHARS = 200
ENTRIES = 1000
ENTRY_CHARS = 500
PAGE_SIZE = 8
MOST_PER_PAGE = 100

# -- faults -------------------------------------------------------------------------------------------------
#: The shop that has them, on the loopback interface.
SHOP_PROFILE = PROFILE.replace(name="demo-shop", websocket_write_bytes=16 * MIB)
#: Customers that wait at once, for one fault.
CROWD = 60

# -- the end ------------------------------------------------------------------------------------------------
DRAIN_SECONDS = 5.0
