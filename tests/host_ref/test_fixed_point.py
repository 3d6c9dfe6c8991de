from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from host_ref import fixed_point
from host_ref.fixed_point import fraction_bits, paper, quantise, scaled, vanished
from host_ref.floating import FloatModel
from host_ref.integer import IntegerModel
from host_ref.parameters import LayerParameters


def f32(*values):
    return np.array(values, np.float32)


def with_first_layer(parameters, k, h):
    """The parameters with these first elements of layer one's k and h, the others 0."""
    own = parameters.layers[0]
    changed = []
    for values in (k, h):
        array = np.zeros_like(own.k)
        array[:len(values)] = values
        changed.append(array)
    return replace(parameters, layers=(LayerParameters(own.weights, *changed),
                                       *parameters.layers[1:]), known_answer=None)


def whole(values, bits):
    """The integers that fixed-point `values` are, by exact fractions."""
    result = []
    for value in values:
        scaled_up = Fraction(float(value)) * Fraction(2) ** bits
        assert scaled_up.denominator == 1, f"{value} isn't a multiple of 2**-{bits}"
        result.append(int(scaled_up))
    return result


def test_each_value_is_the_nearest_16_bit_number(rng):
    for scale in (1e-40, 1e-20, 0.003, 1.0, 7.7, 1e20):
        values = (scale * rng.normal(0, 1, 500)).astype(np.float32)
        bits = fraction_bits(values)
        expected = [round(Fraction(float(value)) * Fraction(2) ** bits) for value in values]
        assert whole(quantise(values, bits), bits) == expected
        assert max(map(abs, expected)) <= 32767
        if bits < fixed_point.MAX_FRACTION_BITS:
            assert max(abs(round(2 * Fraction(float(value)) * Fraction(2) ** bits))
                       for value in values) > 32767, "one bit more would fit too"


@pytest.mark.parametrize("values, bits", [
    (f32(1.0), 14), (f32(-1.0), 14), (f32(0.99999994), 14), (f32(32767), 0), (f32(32768), -1),
    (f32(32767 / 32768), 15), (f32(0.0), 15), (f32(1e-45), 149), (f32(1e30, 1e-30), -85)])
def test_fraction_bits_at_the_edges(values, bits):
    assert fraction_bits(values) == bits
    assert max(map(abs, whole(quantise(values, bits), bits))) <= 32767


def test_the_smallest_floats_stay_what_they_are():
    values = f32(1e-45, -3e-45, 1.1754944e-38)
    few = values[:2]
    assert np.array_equal(quantise(few, fraction_bits(few)), few)
    assert quantise(values, fraction_bits(values))[0] == 0


def test_rounding_and_saturation():
    assert quantise(f32(0.5, 1.5, -0.5), 0).tolist() == [0, 2, 0]
    assert quantise(f32(0.9, -0.1), 0, np.floor).tolist() == [0, -1]
    assert quantise(f32(2.0, -2.0, 5e20), 14).tolist() == [32767 / 16384, -2, 32767 / 16384]


def test_the_paper_s_widths(parameters):
    k, h = [0.01, -0.01, 2e-8, 100], [1.23456, -1.23456, 8, -9]
    first = paper(with_first_layer(parameters, k, h)).layers[0]
    assert whole(first.k[:4], 22) == [32767, -32768, 0, 32767]
    assert whole(first.h[:4], 12) == [5056, -5057, 32767, -32768]
    small = paper(with_first_layer(parameters, [0.001, -0.001], [0, 0])).layers[0]
    assert whole(small.k[:2], 22) == [4194, -4195]
    for own in paper(parameters).layers[1:]:
        assert all(-32768 <= value <= 32767 for value in whole(own.k, 14))


@pytest.mark.parametrize("convert", [scaled, paper])
def test_it_folds_exactly(parameters, pictures, convert):
    fixed = convert(parameters)
    for expected, got in zip(FloatModel(fixed).run(pictures), IntegerModel(fixed).run(pictures)):
        assert np.array_equal(expected, got)


@pytest.mark.parametrize("convert", [scaled, paper])
def test_what_was_known_of_the_old_parameters_is_dropped(parameters, convert):
    fixed = convert(replace(parameters, accuracy={"accuracy": 0.5}))
    assert fixed.known_answer is None
    assert fixed.accuracy == {}
    assert fixed.classes == parameters.classes
    for own, new in zip(parameters.layers, fixed.layers):
        assert np.array_equal(own.weights, new.weights)


def test_k_that_vanishes_is_counted_and_its_output_constant(parameters, pictures):
    tiny = with_first_layer(parameters, [1, 1e-6, -1e-6, 0, 1e-4], [0, 1, -1, 1, 0])
    fixed = scaled(tiny)
    assert vanished(tiny, fixed)["conv1"] == 2
    assert "conv1" not in vanished(fixed, fixed)
    bits = IntegerModel(fixed).layer_output(0, pictures)
    assert not bits[..., 1].any(), "k·s + h is 1 whatever s"
    assert bits[..., 2].all(), "k·s + h is -1 whatever s"


def test_moved_thresholds_are_counted(parameters):
    before = with_first_layer(parameters, [1, 1, 1], [-7, -8, -9])
    after = with_first_layer(parameters, [1, 1, -1], [-7, -8.1, -9])
    assert fixed_point.moved(before, after) == 2
    assert fixed_point.moved(before, before) == 0
    assert fixed_point.moved(before, with_first_layer(parameters, [2, 1, 1], [-14, -7.5, -9])) == 0


def test_one_huge_h_leaves_the_others_no_bits(parameters):
    fixed = scaled(with_first_layer(parameters, [1, 1], [1e30, 1])).layers[0]
    assert fixed.h[0] == pytest.approx(1e30, rel=2 ** -15)
    assert fixed.h[1] == 0
