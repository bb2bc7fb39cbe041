"""Real peers: `python -P tests/peers`, after `make test`, or `make peers`; with --help for more.

Run as a folder, so that the package that is tried is the one that is installed and not that of the checkout.
"""

import sys
from pathlib import Path

# its folders are called as what they try, so they must not be found under these names
folder = Path(__file__).resolve().parent
sys.path[:] = [each for each in sys.path if Path(each).resolve() != folder] + [str(folder.parent)]

from peers.command import main  # noqa: E402 -- where it is found is said above

sys.exit(main())
