"""What is told on the way, and why it cannot go on.

Law: the table alone is written to standard output.
"""

import sys


class CannotRun(Exception):
    """The peer cannot be installed or started.

    Args:
        why: in a sentence.
        log: the last lines of what has failed.
    """

    def __init__(self, why: str, log: str = "") -> None:
        super().__init__(why)
        self.why, self.log = why, log


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"peers: {text}\n")
    sys.stderr.flush()
