"""The command line."""

from eyewall.cli.group import main

__all__ = ["main"]
