import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def dead_links():
    path = Path(__file__).parents[2] / "docs" / "site" / "links.py"
    spec = importlib.util.spec_from_file_location("links", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dead_links


def test_what_leads_nowhere_is_named(dead_links, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="sub/page.html#there">good</a><a href="sub/page.html#nowhere">bad</a>'
        '<a href="gone.html">bad</a><a href="#top">bad</a><img src="a%20b.png">'
        '<a href="https://example.org/x">not ours</a><a href="sub/">good</a>')
    (tmp_path / "a b.png").write_bytes(b"")
    (tmp_path / "sub" / "page.html").write_text('<h1 id="there"></h1><a href="../index.html">x</a>')
    (tmp_path / "sub" / "index.html").write_text("")
    assert dead_links(tmp_path) == [
        "index.html: #top: no such place in the page",
        "index.html: gone.html: no such file",
        "index.html: sub/page.html#nowhere: no such place in the page"]
