"""Real peers: `python -P tests/peers`, after `make test`, or `make peers`; with --help for more.

Run as a folder, so that the package that is tried is the one that is installed and not that of the checkout.
"""

import sys

from openclaw.command import main

sys.exit(main())
