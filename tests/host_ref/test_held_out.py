import numpy as np

from host_ref.held_out import held_out


def test_every_picture_is_on_one_side_and_a_seed_says_which():
    held, kept = held_out(50, 3, 8)
    assert (len(held), len(kept)) == (8, 42)
    assert sorted([*held, *kept]) == list(range(50))
    assert np.array_equal(held, held_out(50, 3, 8)[0])
    assert not np.array_equal(held, held_out(50, 4, 8)[0])


def test_it_is_the_choice_of_the_files_that_shipped():
    """Another one would calibrate them on pictures that their training saw."""
    assert held_out(50000, 1, 2000)[0][:4].tolist() == [41261, 19539, 19954, 28254]
