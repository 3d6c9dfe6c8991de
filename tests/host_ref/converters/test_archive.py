import hashlib
import zipfile

import numpy as np
import pytest

from host_ref.converters.archive import read
from host_ref.parameters import ParameterError


def test_arrays_come_in_the_order_of_their_numbers(write_npz, write_zip, tmp_path):
    arrays = [np.full(3, number, np.float32) for number in range(12)]
    path = write_npz(arrays)
    source = read(path)
    assert not source.raw
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [array[0] for array in source.arrays] == list(range(12))
    with zipfile.ZipFile(str(tmp_path / "sorted.zip"), "w") as archive:
        for name in sorted(f"arr_{number}" for number in range(12)):  # arr_1, arr_10, arr_11, arr_2
            archive.writestr(name, arrays[int(name[4:])].tobytes())
    for path in (tmp_path / "sorted.zip", write_zip(arrays)):
        source = read(path)
        assert source.raw
        assert [array.tolist() for array in source.arrays] == [a.tolist() for a in arrays]


def test_take_reshapes_only_what_is_raw(write_npz, write_zip):
    values = np.arange(6, dtype=np.float32)
    assert read(write_zip([values])).take(0, "w", "fc1", (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ParameterError, match=r"arr_0 \(W of layer 'fc1'\) has shape \(6,\)"):
        read(write_npz([values])).take(0, "W", "fc1", (2, 3))


def test_a_scalar_stands_for_a_vector(write_npz):
    source = read(write_npz([np.float32(4)]))
    assert source.take(0, "mean", "fc3", (3,)).tolist() == [4, 4, 4]
    with pytest.raises(ParameterError, match="shape"):
        source.take(0, "W", "fc3", (1, 1))


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "pickled.npz", np.array([{"a": 1}], dtype=object))
    with pytest.raises(ParameterError, match="allow_pickle=False"):
        read(tmp_path / "pickled.npz")


def test_what_is_no_archive(tmp_path, write_npz):
    path = write_npz([np.zeros(1000)])
    for content in (b"", b"text", path.read_bytes()[:-200]):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(ParameterError, match="is neither an .npz nor a .zip"):
            read(tmp_path / "bad")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ParameterError, match="is neither an .npz nor a .zip"):
        read(tmp_path / "one.npy")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.npz")


@pytest.mark.parametrize("names,complaint", [
    ([], "holds nothing where arr_0"), (["header", "conv1.k"], "holds conv1.k, header where"),
    (["arr_0", "arr_2"], "holds arr_0, arr_2 where"),
    (list("abcdefg"), "a, b, c, d, e, ... where")])
def test_other_names(tmp_path, names, complaint):
    np.savez(tmp_path / "other.npz", **{name: np.zeros(2) for name in names})
    with pytest.raises(ParameterError, match=complaint):
        read(tmp_path / "other.npz")


def test_raw_bytes_that_are_no_floats(tmp_path):
    with zipfile.ZipFile(str(tmp_path / "odd.zip"), "w") as archive:
        archive.writestr("arr_0", b"12345")
    with pytest.raises(ParameterError, match="arr_0 has 5 bytes"):
        read(tmp_path / "odd.zip")
    with zipfile.ZipFile(str(tmp_path / "mixed.zip"), "w") as archive:
        archive.writestr("arr_0", b"1234")
        with archive.open("arr_1.npy", "w") as file:
            np.save(file, np.zeros(3))
    with pytest.raises(ParameterError, match="mixes"):
        read(tmp_path / "mixed.zip")
