import numpy as np

from host_ref.training.augment import SHIFT, augment


def test_every_result_is_a_shifted_perhaps_mirrored_original():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 16, 16, 3)).astype(np.uint8)
    before = images.copy()
    results = augment(images, rng)
    np.testing.assert_array_equal(images, before)
    border = ((SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    for image, result in zip(images, results):
        padded = np.pad(image, border, mode="reflect")
        crops = [padded[row:row + 16, column:column + 16]
                 for row in range(2 * SHIFT + 1) for column in range(2 * SHIFT + 1)]
        assert any(np.array_equal(result, crop) or np.array_equal(result, crop[:, ::-1])
                   for crop in crops)


def test_the_same_generator_gives_the_same_pictures():
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3)).astype(np.uint8)
    first, again = (augment(images, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_nothing_is_mirrored_where_left_and_right_differ():
    images = np.zeros((200, 16, 16, 3), np.uint8)
    images[:, :, :6] = 255  # bright on the left, and still so after any shift
    halves = augment(images, np.random.default_rng(0), mirror=False).reshape(200, 16, 2, -1)
    assert (halves[:, :, 0].mean((1, 2)) > halves[:, :, 1].mean((1, 2))).all()
