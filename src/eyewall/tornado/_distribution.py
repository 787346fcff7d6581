"""What `importlib.metadata` says of `tornado` while that means `eyewall.tornado`."""

from __future__ import annotations

import os
from importlib.metadata import Distribution
from pathlib import Path

from eyewall._version import TORNADO_API_VERSION

_FOLDER = Path(os.path.abspath(__file__)).parent


class TornadoDistribution(Distribution):
    """A distribution of the version whose API Eyewall has. It has no files that could be removed."""

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        return (
            "Metadata-Version: 2.1\nName: tornado\n"
            f"Version: {TORNADO_API_VERSION}\nSummary: Provided by Eyewall\n"
        )

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return _FOLDER / path
