import sys

from pynq_bnn.progress import shown


def test_the_items_come_with_and_without_a_bar(capsys):
    for progress in (False, True):
        assert list(shown(iter(range(5)), progress, "work", "unit", 5)) == list(range(5))
    assert "work" in capsys.readouterr().err


def test_without_tqdm_there_is_no_bar(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert list(shown([1, 2], True, "work", "unit")) == [1, 2]
    assert capsys.readouterr().err == ""
