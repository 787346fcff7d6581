"""What was found in a process, as one document: for scripts, and for people in several forms."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from eyewall._version import VERSION
from eyewall.doctor.finding import Finding, Severity

#: Of the document; one that readers of an older one can't read has a new number.
FORMAT = 1
#: What a command ends with, by the worst finding, None for none.
STATUS = {None: 0, Severity.NOTICE: 10, Severity.WARNING: 11, Severity.ERROR: 12}


def status_of(severities: Iterable[Severity]) -> int:
    """Returns the exit status that says how bad the worst of `severities` is."""
    return STATUS[max(severities, default=None)]


def report(findings: Iterable[Finding]) -> dict[str, Any]:
    """Returns the document about this process, as what `json.dumps` takes."""
    return {
        "format": FORMAT,
        "eyewall": VERSION,
        "python": platform.python_version(),
        "pid": os.getpid(),
        "program": list(sys.argv),
        "time": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "findings": [each.as_json() for each in findings],
    }


def write_report(path: str, findings: Iterable[Finding]) -> None:
    """Writes the document to the file `path`, at once: whoever reads it reads the whole. Raises OSError."""
    text = json.dumps(report(findings), indent=2)
    folder, name = os.path.split(path)
    handle, partial = tempfile.mkstemp(prefix=f".{name}.", dir=folder or ".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
