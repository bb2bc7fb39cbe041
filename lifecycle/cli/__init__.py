"""The command line: one file for each command or two, and what they share."""

from .command import main

__all__ = ["main"]
