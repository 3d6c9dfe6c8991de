import sys

import numpy as np
import pytest

from host_ref.accuracy import testset
from host_ref.cifar10 import DatasetError
from host_ref.parameters import ParameterError
from host_ref.random_networks import random_parameters


def test_the_whole_split_or_the_first_pictures(cifar_sized, dataset):
    folder, pictures, labels = dataset
    for count in (None, 3, 1000):
        images, truth = testset.load(cifar_sized, folder, count)
        assert np.array_equal(images, pictures[:count])
        assert np.array_equal(truth, labels[:count])


def test_what_does_not_fit_is_refused(cifar_sized, parameters, dataset, rng, tmp_path):
    folder = dataset[0]
    with pytest.raises(ParameterError, match="'random' tells other classes apart"):
        testset.load(random_parameters(cifar_sized.network, rng), folder)
    with pytest.raises(ParameterError, match="pictures of 8 x 10, CIFAR-10's are 32 x 32"):
        testset.load(parameters, folder)
    with pytest.raises(ValueError, match="at least 1 picture"):
        testset.load(cifar_sized, folder, 0)
    with pytest.raises(DatasetError, match="test_batch.bin"):
        testset.load(cifar_sized, tmp_path / "nowhere")


@pytest.mark.parametrize("with_tqdm", [True, False])
def test_slices_cover_everything_once(monkeypatch, with_tqdm):
    if not with_tqdm:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    for progress in ("", "shown"):
        parts = [list(range(7))[part] for part in testset.slices(7, 3, progress)]
        assert parts == [[0, 1, 2], [3, 4, 5], [6]]
