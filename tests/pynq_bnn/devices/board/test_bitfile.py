import struct

import pytest

import overlays
from overlays.boards import find
from pynq_bnn.devices.board.bitfile import BitHeader, packaged_bitstream, read_header, require_part
from pynq_bnn.errors import OverlayError

PREAMBLE = bytes.fromhex("00090ff00ff00ff00ff0000001")
"""How the files of Vivado and of the open tools begin."""


def field(letter, text):
    return letter + struct.pack(">H", len(text) + 1) + text + b"\0"


def bit(part=b"7z020clg400", data=bytes(40)):
    return (PREAMBLE + field(b"a", b"top;UserID=0XFFFFFFFF;Version=2022.1") + field(b"b", part)
            + field(b"c", b"2026/01/31") + field(b"d", b"12:34:56")
            + b"e" + struct.pack(">I", len(data)) + data)


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "my.bit"
        path.write_bytes(content)
        return path

    return write


def test_header(write):
    assert read_header(write(bit())) == BitHeader(
        design="top", part="7z020clg400", date="2026/01/31", time="12:34:56", length=40)


def test_header_without_design_and_date(write):
    content = PREAMBLE + field(b"b", b"xc7z020clg484-1") + b"e" + struct.pack(">I", 0)
    assert read_header(write(content)).part == "xc7z020clg484-1"


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(50), b"#!/bin/sh\n" * 20,
                                     bytes(200), b"\xff" * 200, PREAMBLE])
def test_no_bitstream(content, write):
    with pytest.raises(OverlayError, match="my.bit is not a bitstream"):
        read_header(write(content))


def test_truncated_anywhere(write):
    whole = bit()
    for end in range(len(whole)):
        with pytest.raises(OverlayError, match="truncated|only the beginning"):
            read_header(write(whole[:end]))
    with pytest.raises(OverlayError, match="truncated.*promises 40 bytes.*39 follow"):
        read_header(write(whole[:-1]))


@pytest.mark.parametrize("content", [bit() + b"\0", bit(data=bytes(41))])
def test_damaged(content, write):
    with pytest.raises(OverlayError, match="damaged"):
        read_header(write(content))


def test_no_part(write):
    content = PREAMBLE + field(b"a", b"top") + b"e" + struct.pack(">I", 0)
    with pytest.raises(OverlayError, match="for which part"):
        read_header(write(content))


def test_missing_file(tmp_path):
    with pytest.raises(OverlayError, match="none.bit can't be read: No such file"):
        read_header(tmp_path / "none.bit")


@pytest.mark.parametrize("path", ["a\0b.bit", "x" * 5000, "", "."])
def test_a_path_that_is_not_a_files(path):
    with pytest.raises(OverlayError, match="can't be read") as caught:
        read_header(path)
    assert len(str(caught.value)) < 1200
    assert "\0" not in str(caught.value)


@pytest.mark.parametrize("part,name", [(b"7z020clg400", "Pynq-Z1"), (b"7z020clg400", "Pynq-Z2"),
                                       (b"xc7z020clg484-1", "ZedBoard")])
def test_right_part(part, name, write):
    assert require_part(write(bit(part)), find(name)).part == part.decode()


def test_another_boards_part_names_both(write):
    with pytest.raises(OverlayError) as error:
        require_part(write(bit(b"7z020clg400")), find("ZedBoard"))
    for word in ("7z020clg400", "Pynq-Z1 and Pynq-Z2", "ZedBoard", "xc7z020clg484-1"):
        assert word in str(error.value)


def test_a_part_of_no_board(write):
    with pytest.raises(OverlayError, match="xczu7ev.*none of the boards"):
        require_part(write(bit(b"xczu7ev-ffvc1156")), find("Pynq-Z1"))


def test_packaged_bitstream(monkeypatch, tmp_path):
    monkeypatch.setattr(overlays, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(OverlayError, match='no bitstream for the ZedBoard.*device="model"'):
        packaged_bitstream(find("ZedBoard"))
    path = tmp_path / "ZedBoard" / "bnn.bit"
    path.parent.mkdir()
    path.write_bytes(bit())
    assert packaged_bitstream(find("ZedBoard")) == path
