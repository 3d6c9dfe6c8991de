"""``python -m pynq_bnn``: see :mod:`pynq_bnn.cli`."""

import sys

from pynq_bnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
