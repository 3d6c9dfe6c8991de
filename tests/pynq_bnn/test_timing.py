import json

import pytest

from pynq_bnn.timing import Timing


def test_what_was_not_measured_is_none():
    timing = Timing("model", 1)
    assert timing.device_ms is None
    assert timing.cycles is None
    assert "not measured" in timing.describe()
    assert "counts no cycles" in timing.describe()


def test_device_time_is_cycles_over_the_clock():
    timing = Timing("board", 4, total_s=0.01, cycles=200_000, clock_mhz=100.0)
    assert timing.device_ms == pytest.approx(2.0)
    assert "counted by the device: 200,000 cycles at 100 MHz" in timing.describe()
    assert "0.500 ms a picture" in timing.describe()


def test_cycles_without_a_clock_are_no_time():
    timing = Timing("rtl", 1, cycles=150_000)
    assert timing.device_ms is None
    assert "150,000 cycles, clock unknown" in timing.describe()


def test_a_simulated_time_is_called_predicted():
    timing = Timing("rtl", 1, total_s=3.0, cycles=100_000, clock_mhz=100.0)
    assert "predicted" in timing.describe()
    assert "predicted" in repr(timing)
    assert "says nothing about the board's speed" in timing.describe()


def test_provenance_is_in_the_text_and_in_json():
    timing = Timing("model", 2, 0.001, 0.002, 0.003, 0.004, 0.010, build="cafe", parameters="feed")
    assert "feed" in timing.describe()
    assert "wall clock in Python on the model device, which says nothing" in timing.describe()
    assert "model, a batch of 2 pictures: 10.000 ms wall clock in Python" in repr(timing)
    assert json.loads(json.dumps(timing.to_dict()))["copy_s"] == 0.002


def test_the_parts_and_the_rest_are_the_whole():
    timing = Timing("model", 2, 0.001, 0.002, 0.003, 0.004, 0.012)
    assert timing.other_s == pytest.approx(0.002)
    assert Timing("model", 1, total_s=1.0).other_s is None
    assert "2.000 ms  Python between these" in timing.describe()


def test_a_call_of_several_batches():
    timing = Timing("board", 8, total_s=0.05, cycles=2_000_000, clock_mhz=100.0, pictures=20)
    assert (timing.count, timing.images_per_s) == (20, pytest.approx(400))
    assert "20 pictures in batches of 8" in timing.describe()
    assert "400.0/s" in timing.describe()
    assert "1.000 ms a picture" in timing.describe()
    assert json.loads(json.dumps(timing.to_dict()))["pictures"] == 20


@pytest.mark.parametrize("arguments,message", [(("gpu", 1), "gpu"), (("model", 0), "batch of 0")])
def test_nonsense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Timing(*arguments)
