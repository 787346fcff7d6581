"""One benchmark at a time on a machine: two at once measure each other."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / "eyewall-bench.lock"
#: How long to wait for another benchmark to end, in seconds.
PATIENCE = 3600.0


@contextmanager
def exclusive(path: Path = LOCK, patience: float = PATIENCE) -> Iterator[None]:
    """Holds the machine's benchmark lock; TimeoutError when another has it for `patience` seconds."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        deadline = time.monotonic() + patience
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"another benchmark holds {path}") from None
                if not told:
                    print(f"waiting for another benchmark, which holds {path}", flush=True)
                    told = True
                time.sleep(min(0.5, patience))
        yield
    finally:
        os.close(descriptor)
