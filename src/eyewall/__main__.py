"""`python -m eyewall`: the command line."""

from __future__ import annotations

from eyewall.cli import main

if __name__ == "__main__":
    main(prog_name="python -m eyewall")
