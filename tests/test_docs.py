"""What the pages point to is there: relative links, and in the tour every file and name."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

from overlays.bitstream.gate import RULES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TOUR = ROOT / "docs" / "tour.md"
OVERLAY = ROOT / "docs" / "overlay.md"
LINK = re.compile(r"\]\(([^)\s]+)\)")
PLACE = re.compile(r"`([\w./-]+\.(?:py|md|npz|png)|[\w./-]+/)(?::([\w.]+))?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not heading or heading in headings(found), target


def test_every_place_in_the_tour_exists():
    places = PLACE.findall(TOUR.read_text(encoding="utf-8"))
    assert len(places) > 50
    missing = [f"{path}:{name}" for path, name in places if not exists(path, name)]
    assert not missing


@pytest.mark.parametrize("path,name", [
    ("pynq_bnn/classified.py", ""), ("pynq_bnn/classifier.py", "Classifier.clasify"),
    ("host_ref/folding.py", "folds"), ("overlays/gateway/", "")])
def test_a_wrong_place_is_found(path, name):
    assert not exists(path, name)


def test_the_overlay_page_has_every_rule_of_the_gate():
    section = OVERLAY.read_text(encoding="utf-8").split("## The gate's rules")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", section, flags=re.MULTILINE)
    assert rows == ["refused", *(rule.name for rule in RULES)]


def exists(path, name):
    """Whether there is such a file or folder, and in a file such a name or Class.member."""
    place = ROOT / path
    return place.exists() and (not name or name in defined(place))


@lru_cache(maxsize=None)
def defined(path):
    """Names that a file defines at its top, and members of its classes as Class.member."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        own = _names(node)
        names.update(own)
        if isinstance(node, ast.ClassDef):
            names.update(f"{node.name}.{member}" for part in node.body for member in _names(part))
    return names


def _names(node):
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def prose(page):
    """A page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def headings(page):
    """The names that GitHub gives a page's headings."""
    lines = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}
