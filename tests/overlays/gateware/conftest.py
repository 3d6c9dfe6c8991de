"""The gateware's tests need Amaranth (pip install .[rtl]); without it they are not collected."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("amaranth") else ["test_*.py"]
