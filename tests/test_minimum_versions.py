"""Names that numpy got after 1.20, PYNQ 2.7's; Python 3.8 itself is vermin's job (make lint)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [path for folder in ("pynq_bnn", "host_ref")
         for path in sorted((ROOT / folder).rglob("*.py"))]
NEWER = {
    "acos", "acosh", "asin", "asinh", "astype", "atan", "atan2", "atanh", "bitwise_count",
    "bitwise_invert", "bitwise_left_shift", "bitwise_right_shift", "concat", "cumulative_prod",
    "cumulative_sum", "dtypes", "exceptions", "from_dlpack", "isdtype", "long", "matrix_transpose",
    "matvec", "permute_dims", "pow", "strings", "trapezoid", "ulong", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "unstack", "vecdot", "vecmat",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_numpy_1_20_is_enough(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name) and node.value.id == "np"}
    assert not used & NEWER


def test_the_files_are_found():
    assert len(FILES) > 30
