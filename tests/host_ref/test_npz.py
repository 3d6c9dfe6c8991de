"""Sizes are looked at before anything is unpacked, and a file may lie about them."""

import io
import struct
import zipfile

import numpy as np
import pytest

from host_ref import converters, parameters
from host_ref.npz import read_members
from host_ref.parameters import ParameterError

GIB_2 = (2 << 30) + 128


def archive(**members):
    """An .npz, compressed."""
    file = io.BytesIO()
    np.savez_compressed(file, **members)
    return file.getvalue()


def claiming(content, name, size):
    """The archive with another unpacked size of a member in its directory."""
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        names = opened.namelist()
    place = 0
    for found in names:
        place = content.index(b"PK\x01\x02", place + 1)
        if found == name:
            return content[:place + 24] + struct.pack("<I", size) + content[place + 28:]
    raise AssertionError(name)


@pytest.fixture
def no_unpacking(monkeypatch):
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))


def test_every_member_comes_by_its_name():
    content = archive(a=np.arange(3), b=np.zeros((2, 2)))
    found = read_members(io.BytesIO(content), 10_000)
    assert sorted(found) == ["a", "b"]
    assert found["a"].tolist() == [0, 1, 2]


def test_more_than_is_allowed_is_refused_packed(no_unpacking):
    content = archive(a=np.zeros(1000, np.uint8), b=np.zeros(1000, np.uint8))
    with pytest.raises(ValueError, match="unpacks to 2,2.. bytes, at most 2,200 are read"):
        read_members(io.BytesIO(content), 2200)


def test_all_members_count_together():
    content = archive(a=np.zeros(1000, np.uint8), b=np.zeros(1000, np.uint8))
    assert len(read_members(io.BytesIO(content), 2256)) == 2
    with pytest.raises(ValueError, match="2,256 bytes, at most 2,255"):
        read_members(io.BytesIO(content), 2255)


@pytest.mark.parametrize("name", ["header.npy", "unexpected.npy"])
@pytest.mark.parametrize("read", [parameters.load, converters.convert])
def test_two_gibibytes_of_zeros(tmp_path, no_unpacking, read, name):
    path = tmp_path / "bomb.npz"
    path.write_bytes(claiming(archive(header=np.zeros(9), unexpected=np.zeros(9)), name, GIB_2))
    with pytest.raises(ParameterError, match=r"bomb.npz.*unpacks to 2,147,48.,... bytes, at most"):
        read(path)


@pytest.mark.parametrize("read,most", [(parameters.load, parameters.MAX_FILE_BYTES),
                                       (converters.convert, 17 << 20)])
def test_real_zeros_above_the_ceiling(tmp_path, monkeypatch, no_unpacking, read, most):
    monkeypatch.setattr(converters.archive, "MAX_BYTES", 17 << 20)
    path = tmp_path / "bomb.npz"
    path.write_bytes(archive(arr_0=np.zeros(most, np.uint8)))
    assert path.stat().st_size < 100_000
    with pytest.raises(ParameterError, match="unpacks to"):
        read(path)


def test_the_ceilings_fit_their_machines():
    assert parameters.MAX_FILE_BYTES <= 32 << 20, "a board's: eight times that in memory"
    assert converters.archive.MAX_BYTES <= 1 << 30


def test_a_size_that_is_a_lie_is_damage(tmp_path):
    """More than was claimed is never unpacked: zipfile stops there, and the checksum is wrong."""
    path = tmp_path / "lie.npz"
    path.write_bytes(claiming(archive(header=np.zeros(1 << 20)), "header.npy", 200))
    with pytest.raises(ParameterError, match="lie.npz"):
        parameters.load(path)
