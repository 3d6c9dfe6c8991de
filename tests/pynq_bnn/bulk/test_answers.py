import os
from types import SimpleNamespace

import pytest

from pynq_bnn.bulk.answers import Answers, AnswersError

PARAMETERS = SimpleNamespace(checksum="0123456789abcdef", classes=["cat", "dog"])


def written(path, names, resume=False):
    answers = Answers(path, PARAMETERS, resume)
    list(answers.names())
    answers.begin()
    for name in names:
        answers.write(name, None, "damaged")
    answers.close()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("name", ["a,b.png", 'a"b.png', "a\nb.png", "a\rb.png", "  a  ", "ä.png",
                                  os.fsdecode(b"\xff\xfe.png"), "\u2028.png"])
def test_any_name_is_one_line_and_is_found_again(tmp_path, suffix, name):
    path = tmp_path / f"answers{suffix}"
    written(path, [name, "next.png"])
    assert len(path.read_bytes().splitlines() if suffix == ".jsonl" else
               path.read_bytes().rstrip(b"\n").split(b"\n")) == (2 if suffix == ".jsonl" else 3)
    answers = Answers(path, PARAMETERS, True)
    assert list(answers.names()) == [answers.as_written(name), "next.png"]
    answers.close()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("content", [b"mine", b"mine\n", b"a,b,c\n1,2,3\n", b"[]\n[]\n", b"\xff"])
def test_a_file_of_something_else_stays_as_it_is(tmp_path, suffix, content):
    path = tmp_path / f"theirs{suffix}"
    path.write_bytes(content)
    with pytest.raises(AnswersError, match="is no file of answers"):
        written(path, ["a.png"], resume=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_one_run_writes_at_a_time(tmp_path, suffix):
    pytest.importorskip("fcntl")
    path = tmp_path / f"answers{suffix}"
    written(path, ["a.png"])
    first = Answers(path, PARAMETERS, True)
    with pytest.raises(AnswersError, match="is being written by another run"):
        Answers(path, PARAMETERS, True)
    first.close()
    written(path, ["b.png"], resume=True)
    assert list(Answers(path, PARAMETERS, True).names()) == ["a.png", "b.png"]


def test_a_run_without_an_answer_leaves_no_file(tmp_path):
    written(tmp_path / "answers.csv", [])
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / "empty.csv"
    path.touch()
    written(path, [], resume=True)
    assert path.exists(), "it was there before"


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(AnswersError, match="does not end in .jsonl or .csv"):
        Answers(tmp_path / "answers.txt", PARAMETERS, False)
