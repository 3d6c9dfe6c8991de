import pickle

import pytest

from host_ref.errors import LONGEST_MESSAGE, BnnError, printable, shortened
from host_ref.parameters import ParameterError
from pynq_bnn.errors import DeviceTimeout, MemoryExhausted


@pytest.mark.parametrize("text,expected", [
    ("naïve ÷ 猫", "naïve ÷ 猫"), ("", ""), ("two words", "two words"),
    ("\x1b[2Jcat", r"\x1b[2Jcat"), ("a\nPASS\r\tb", r"a\nPASS\r\tb"),
    ("\x9b31m\x7f", r"\x9b31m\x7f"),
    ("\udcff", r"\udcff"), ("\u202etac", r"\u202etac"), (7, "7"),
])
def test_nothing_drives_a_terminal(text, expected):
    assert printable(text) == expected
    printable(text).encode()


def test_a_long_message_is_cut_in_its_middle():
    assert shortened("a" * LONGEST_MESSAGE) == "a" * LONGEST_MESSAGE
    cut = shortened("begin" + "a" * 100_000 + "end")
    assert cut.startswith("begina")
    assert cut.endswith("aend")
    assert "99,008 more characters" in cut
    assert len(cut) < LONGEST_MESSAGE + 100


@pytest.mark.parametrize("kind", [BnnError, ParameterError, DeviceTimeout, MemoryExhausted])
def test_every_error_shows_a_message_that_can_be_read(kind):
    error = kind("layer \x1b[2J\udcff" + "n" * 100_000 + " is odd")
    assert str(error).startswith(r"layer \x1b[2J\udcffnnn")
    assert str(error).endswith(" is odd")
    assert len(str(error)) < LONGEST_MESSAGE + 100
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(kind("plain")) == "plain"
