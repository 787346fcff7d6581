"""Which of Tornado's tests Eyewall is excused from, and why: `excluded.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

FILE = Path(__file__).with_name("excluded.toml")
#: More would be an excuse.
MOST = 15


def excluded() -> dict[str, str]:
    """Returns the reasons by the full names of the tests."""
    return {each["test"]: each["reason"] for each in tomllib.loads(FILE.read_text("utf-8"))["excluded"]}
