import numpy as np
import pytest
from PIL import Image

import pynq_bnn
from host_ref import cifar10
from host_ref.cifar10 import DatasetError
from host_ref.network import MAX_CLASSES
from host_ref.training import dataset


def draw(path, seed=0):
    """A picture of noise whose size differs from seed to seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (9 + seed % 3, 8 + seed % 5, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    return path


def load(folder):
    return dataset.load(folder, 8, 8, pynq_bnn.to_pictures, progress=False)


def split_folder(folder):
    """Two classes, of 3 and 2 training pictures and 2 and 1 test pictures."""
    counts = {("train", "cat"): 3, ("train", "ant"): 2, ("test", "cat"): 2, ("test", "ant"): 1}
    for seed, ((part, name), count) in enumerate(counts.items()):
        for number in range(count):
            draw(folder / part / name / f"{number}.png", 10 * seed + number)
    return folder


def test_train_and_test_folders_are_the_splits(tmp_path):
    data = load(split_folder(tmp_path / "zoo"))
    assert (data.name, data.classes, data.tested_on) == ("zoo", ("ant", "cat"), "zoo, test folder")
    assert data.train_labels.tolist() == [0, 0, 1, 1, 1]
    assert data.test_labels.tolist() == [0, 1, 1]
    assert data.train_images.shape == (5, 8, 8, 3)
    for split, images in (("train", data.train_images), ("test", data.test_images)):
        paths = sorted((tmp_path / "zoo" / split).glob("*/*.png"))
        np.testing.assert_array_equal(images, pynq_bnn.to_pictures(paths, 8, 8))


@pytest.mark.parametrize("inner", [".", "train"])
def test_without_a_test_folder_a_share_of_every_class_is_held_back(tmp_path, inner):
    paths = [draw(tmp_path / inner / name / f"{number}.png", 50 * label + number)
             for label, (name, count) in enumerate((("ant", 10), ("cat", 20)))
             for number in range(count)]
    data, again = load(tmp_path), load(tmp_path)
    assert np.bincount(data.train_labels).tolist() == [8, 16]
    assert np.bincount(data.test_labels).tolist() == [2, 4]
    np.testing.assert_array_equal(data.test_images, again.test_images)
    assert "20 % of its pictures, held back" in data.tested_on
    whole = sorted(image.tobytes() for image in pynq_bnn.to_pictures(paths, 8, 8))
    assert sorted(image.tobytes() for image in [*data.train_images, *data.test_images]) == whole


def test_the_pictures_are_those_that_classify_shows_the_network(tmp_path, classifier):
    """Rotated by EXIF, transparent, grey, 16-bit, too wide, too small: pixel for pixel the same."""
    rng = np.random.default_rng(5)
    rgba = Image.fromarray(rng.integers(0, 256, (40, 31, 4)).astype(np.uint8))
    rgb, grey = rgba.convert("RGB"), rgba.convert("L")
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    for name in ("ant", "cat"):
        for part in ("train", "test"):
            (tmp_path / part / name).mkdir(parents=True)
        rgb.save(tmp_path / "train" / name / "turned.jpg", exif=exif)
        rgba.save(tmp_path / "test" / name / "transparent.png")
    grey.save(tmp_path / "test" / "ant" / "grey.bmp")
    Image.fromarray(rng.integers(0, 65536, (5, 9)).astype(np.uint16)).save(
        tmp_path / "test" / "cat" / "sixteen.png")
    rgb.resize((90, 20)).save(tmp_path / "test" / "cat" / "wide.gif")
    network = classifier.parameters.network
    data = dataset.from_folder(tmp_path, network.height, network.width, pynq_bnn.to_pictures,
                               progress=False)
    for part, images in (("train", data.train_images), ("test", data.test_images)):
        results = classifier.classify(sorted((tmp_path / part).glob("*/*")))
        np.testing.assert_array_equal(images, [result.picture for result in results])


def test_the_parameter_file_learns_who_prepared_the_pictures(tmp_path):
    assert load(split_folder(tmp_path)).preprocessing == {
        "size": [8, 8], "values": "2p-255", "crop": "centre",
        "prepared_by": "pynq_bnn.images.to_pictures"}


def test_cifar10_is_recognised(tmp_path):
    rng = np.random.default_rng(1)
    records = rng.integers(0, 256, (6, cifar10.RECORD)).astype(np.uint8)
    records[:, 0] %= 10
    for record, name in zip(records, (*cifar10.TRAIN_FILES, *cifar10.TEST_FILES)):
        record.tofile(tmp_path / name)
    data = dataset.load(tmp_path, 32, 32, pynq_bnn.to_pictures)
    assert (data.name, data.classes, data.tested_on) == (
        "CIFAR-10", cifar10.CLASSES, "CIFAR-10 test split")
    assert data.train_labels.tolist() == records[:5, 0].tolist()
    assert data.test_labels.tolist() == records[5:, 0].tolist()
    assert data.preprocessing == {"size": [32, 32], "values": "2p-255", "crop": "centre"}
    with pytest.raises(DatasetError, match="32 x 32, the network takes 8 x 8"):
        load(tmp_path)


def test_hidden_files_are_no_pictures(tmp_path):
    split_folder(tmp_path)
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "cat" / ".DS_Store").write_bytes(b"x")
    assert len(load(tmp_path).train_images) == 5


def test_bad_folders_are_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="neither CIFAR-10's.*nor"):
        load(tmp_path)
    draw(tmp_path / "cat" / "0.png")
    with pytest.raises(DatasetError, match="1 sub-folders.*2 to 64"):
        load(tmp_path)
    (tmp_path / "dog").mkdir()
    with pytest.raises(DatasetError, match="dog: a class without pictures"):
        load(tmp_path)
    draw(tmp_path / "dog" / "0.png")
    with pytest.raises(DatasetError, match="cat: one picture"):
        load(tmp_path)
    for number in range(MAX_CLASSES - 1):
        (tmp_path / f"class {number}").mkdir()
    with pytest.raises(DatasetError, match="65 sub-folders"):
        load(tmp_path)


def test_a_class_of_one_split_alone_is_named(tmp_path):
    draw(split_folder(tmp_path) / "test" / "bee" / "0.png")
    with pytest.raises(DatasetError, match="only one of train and test has bee"):
        load(tmp_path)


def test_an_unreadable_picture_is_named(tmp_path):
    (split_folder(tmp_path) / "train" / "cat" / "1.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="cat/1.png: not an image"):
        load(tmp_path)
