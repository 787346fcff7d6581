"""Builds the site: `PYTHONPATH=src python -m docs.site FOLDER`. A warning is an error.

The sources of this checkout are what is documented, also those of compiled modules, which have no signatures.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from .linking import ROOT, DeadLink
from .navigating import Unplaced
from .staging import stage


def main(folder: Path) -> int:
    """Builds into `folder`, which is made anew; returns the exit status: 0, or 1 where something is wrong."""
    try:
        source = stage()
    except (DeadLink, Unplaced) as error:
        print(error, file=sys.stderr)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    site = str(ROOT / "docs" / "site")
    options = ["-q", "-E", "-W", "--keep-going", "-d", str(folder.parent / f"{folder.name}-doctrees")]
    return build_main([*options, "-b", "html", "-c", site, str(source), str(folder)])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
