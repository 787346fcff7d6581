"""The last seconds of something that is counted: what has been so throughout, and by how much it has grown."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

#: Seconds that are looked back.
SECONDS = 3.0


class Window:
    """Samples of the last `seconds`, each a mapping of numbers with the same names."""

    __slots__ = ("_samples", "seconds")

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._samples: deque[tuple[float, Mapping[str, float]]] = deque()

    def add(self, now: float, sample: Mapping[str, float]) -> None:
        """Takes a sample; those that are older than the window and not needed any more go."""
        self._samples.append((now, sample))
        while len(self._samples) > 1 and now - self._samples[1][0] >= self.seconds:
            self._samples.popleft()

    @property
    def whole(self) -> bool:
        """Whether it looks back as far as it is to."""
        return bool(self._samples) and self._samples[-1][0] - self._samples[0][0] >= self.seconds

    def least(self, name: str) -> float:
        """Returns the smallest value."""
        return min(sample[name] for _, sample in self._samples)

    def growth(self, name: str) -> float:
        """Returns the last value less the first."""
        return self._samples[-1][1][name] - self._samples[0][1][name]

    def fall(self, name: str) -> float:
        """Returns by how much a value is less than one before it, at most."""
        most = fall = 0.0
        for _, sample in self._samples:
            most = max(most, sample[name])
            fall = max(fall, most - sample[name])
        return fall

    def last(self, name: str) -> float:
        """Returns the last value."""
        return self._samples[-1][1][name]

    def clear(self) -> None:
        """Begins anew."""
        self._samples.clear()
