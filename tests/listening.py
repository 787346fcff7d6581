"""What a process says, line by line, as it comes."""

from __future__ import annotations

import threading
from collections.abc import Iterable


class Listening:
    """Reads a stream in a thread. `lines`: what has come; `_over`: nothing more will; `_news` tells of both."""

    def _listen(self, stream: Iterable[str], daemon: bool = False) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, args=(stream,), daemon=daemon)
        self._reader.start()

    def _read(self, stream: Iterable[str]) -> None:
        for line in stream:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()
