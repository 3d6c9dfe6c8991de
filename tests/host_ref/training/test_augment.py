import numpy as np
import torch

from host_ref.training.augment import GREY, SHIFT, augment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(count, side):
    return torch.from_numpy(np.random.default_rng(0).integers(
        0, 256, (count, side, side, 3)).astype(np.uint8))


def test_every_result_is_a_shifted_perhaps_mirrored_original():
    images = noise(20, 16)
    before = images.clone()
    results = augment(images, generator())
    assert torch.equal(images, before)
    border = ((SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    found = set()
    for image, result in zip(images.numpy(), results.numpy()):
        padded = np.pad(image, border, mode="reflect")
        crops = {(row, column): padded[row:row + 16, column:column + 16]
                 for row in range(2 * SHIFT + 1) for column in range(2 * SHIFT + 1)}
        own = [(place, mirrored) for place, crop in crops.items() for mirrored in (False, True)
               if np.array_equal(result, crop[:, ::-1] if mirrored else crop)]
        assert own
        found.update(own)
    assert len(found) > 15
    assert {mirrored for _, mirrored in found} == {False, True}


def test_the_same_generator_gives_the_same_pictures():
    first, again = (augment(noise(9, 8), generator(5), cutout=3) for _ in range(2))
    assert torch.equal(first, again)


def test_nothing_is_mirrored_where_left_and_right_differ():
    images = torch.zeros((200, 16, 16, 3), dtype=torch.uint8)
    images[:, :, :6] = 255  # bright on the left, and still so after any shift
    halves = augment(images, generator(), mirror=False).numpy().reshape(200, 16, 2, -1)
    assert (halves[:, :, 0].mean((1, 2)) > halves[:, :, 1].mean((1, 2))).all()


def test_a_hole_is_a_grey_square_somewhere_in_each_picture():
    images = torch.zeros((100, 12, 12, 3), dtype=torch.uint8)
    holes = (augment(images, generator(), cutout=5) == GREY).all(-1).numpy()
    assert (holes.sum((1, 2)) == 25).all()
    assert (holes.any(1).sum(1) == 5).all()
    assert (holes.any(2).sum(1) == 5).all()
    assert len({hole.tobytes() for hole in holes}) > 20
