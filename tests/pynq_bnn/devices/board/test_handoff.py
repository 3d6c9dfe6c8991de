import pytest

from overlays.boards import BOARDS
from overlays.hwh import hwh
from pynq_bnn import registers
from pynq_bnn.devices.board.handoff import require_accelerator
from pynq_bnn.errors import OverlayError

GOOD = hwh(BOARDS[0])


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "bnn.hwh"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_our_own_file_is_accepted(write):
    require_accelerator(write(GOOD))


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.hwh", tmp_path):
        with pytest.raises(OverlayError, match="can't be read"):
            require_accelerator(path)


def test_another_design_is_named(write):
    other = GOOD.replace(registers.VLNV, "example.org:user:fir:2.0")
    with pytest.raises(OverlayError, match="without our accelerator.*example.org:user:fir:2.0"):
        require_accelerator(write(other))


@pytest.mark.parametrize("content", [
    "", GOOD[:1000], GOOD.replace("?>", ' encoding="foo"?>', 1), GOOD.encode("utf-32"),
    b"\0" * 100, b"\xff\xfe" + bytes(range(256)),
    '<?xml version="1.0" encoding="unicode_escape"?><a/>'],
    ids=["empty", "cut off", "foo", "UTF-32", "zeros", "bytes", "escape"])
@pytest.mark.filterwarnings("ignore:invalid escape")
def test_whatever_is_no_hwh_is_one_error(write, content):
    with pytest.raises(OverlayError, match="bnn.hwh"):
        require_accelerator(write(content))
