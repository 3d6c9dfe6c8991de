import os

import numpy as np
import pytest

from host_ref import cifar10


def write(path, labels, planes):
    """Records as the official layout has them: label, then red, green and blue planes."""
    records = np.concatenate([np.array(labels, np.uint8)[:, None], planes.reshape(-1, 3072)],
                             axis=1)
    records.tofile(str(path))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    for number, name in enumerate(cifar10.TRAIN_FILES):
        write(tmp_path / name, [number, 9], rng.integers(0, 256, (2, 3, 32, 32), dtype=np.uint8))
    planes = rng.integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    write(tmp_path / "test_batch.bin", [3, 0, 7], planes)
    return tmp_path, planes


def test_test_split(folder):
    path, planes = folder
    images, labels = cifar10.load(path, "test")
    assert images.dtype == labels.dtype == np.uint8
    assert images.shape == (3, 32, 32, 3)
    assert labels.tolist() == [3, 0, 7]
    assert images[2, 5, 6].tolist() == planes[2, :, 5, 6].tolist()
    assert (images.transpose(0, 3, 1, 2) == planes).all()


def test_train_split_is_all_five_batches_in_order(folder):
    images, labels = cifar10.load(folder[0], "train")
    assert images.shape == (10, 32, 32, 3)
    assert labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]


def test_the_parent_folder_will_do(folder, tmp_path_factory):
    parent = tmp_path_factory.mktemp("parent")
    folder[0].rename(parent / "cifar-10-batches-bin")
    assert len(cifar10.load(str(parent), "test")[0]) == 3


def test_a_folder_without_it(tmp_path):
    with pytest.raises(cifar10.DatasetError, match="test_batch.bin"):
        cifar10.load(tmp_path, "test")


@pytest.mark.parametrize("path", [None, 7, "a\0b", "x" * 5000])
def test_what_is_not_a_path(path):
    with pytest.raises(cifar10.DatasetError, match="folder") as caught:
        cifar10.load(path, "test")
    assert len(str(caught.value)) < 1200


def test_a_missing_batch_is_named(folder):
    (folder[0] / "data_batch_4.bin").unlink()
    with pytest.raises(cifar10.DatasetError, match="data_batch_4.bin"):
        cifar10.load(folder[0], "train")


@pytest.mark.parametrize("size", [0, 3072, 3074])
def test_a_truncated_batch_is_named(folder, size):
    (folder[0] / "test_batch.bin").write_bytes(bytes(size))
    with pytest.raises(cifar10.DatasetError, match="test_batch.bin.*3073"):
        cifar10.load(folder[0], "test")


def test_a_label_beyond_the_classes(folder):
    write(folder[0] / "test_batch.bin", [10], np.zeros((1, 3, 32, 32), np.uint8))
    with pytest.raises(cifar10.DatasetError, match="label 10"):
        cifar10.load(folder[0], "test")


def test_an_unknown_split(folder):
    with pytest.raises(ValueError, match="'validation'"):
        cifar10.load(folder[0], "validation")


def test_the_real_data():
    real = os.environ.get("PYNQ_BNN_CIFAR10")
    if not real:
        pytest.skip("PYNQ_BNN_CIFAR10 doesn't name a folder")
    for split, count in (("train", 50_000), ("test", 10_000)):
        images, labels = cifar10.load(real, split)
        assert images.shape == (count, 32, 32, 3)
        assert np.bincount(labels).tolist() == [count // 10] * 10
