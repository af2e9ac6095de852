"""`python -m multisendcon_plugin`, and the program `multisendcon`."""

import sys

from .admin.command import main

if __name__ == "__main__":
    sys.exit(main())
