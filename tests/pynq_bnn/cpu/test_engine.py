"""engine.c and numpy against host_ref: every layer, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from host_ref.integer import IntegerModel
from host_ref.random_networks import random_network, random_parameters
from pynq_bnn import load_parameters
from pynq_bnn.cpu.engine import Engine
from pynq_bnn.cpu.library import library

needs_compiler = pytest.mark.skipif(library() is None, reason="no C compiler here")
BOTH = [pytest.param(True, marks=needs_compiler, id="engine.c"), pytest.param(False, id="numpy")]


def require_equal(engine, parameters, pictures):
    outputs = IntegerModel(parameters).run(pictures)
    given = pictures
    for index, (layer, expected) in enumerate(zip(parameters.network.layers, outputs)):
        assert np.array_equal(engine.layer_output(index, given), expected), layer.name
        given = expected
    assert np.array_equal(engine.sums(pictures), outputs[-1])


@pytest.mark.parametrize("compiled", BOTH)
@pytest.mark.parametrize("seed", range(25))
def test_random_networks(seed, compiled):
    """All paddings, poolings and widths; random k and h, some of them negative or zero."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    parameters = random_parameters(network, rng)
    pictures = rng.integers(0, 256, (3, network.height, network.width, 3)).astype(np.uint8)
    require_equal(Engine(parameters, 1, compiled), parameters, pictures)


@pytest.mark.parametrize("compiled", BOTH)
@pytest.mark.parametrize("k, h", [(0, 0), (0, -1), (-1, 0), (1, 0), (-1, 8192), (1, -8192),
                                  (1e-6, -1e6), (-1e-6, -1e6)])
def test_thresholds_at_the_ends(parameters, pictures, compiled, k, h):
    layers = [replace(own, k=np.full_like(own.k, k), h=np.full_like(own.h, h))
              for own in parameters.layers]
    nasty = replace(parameters, layers=tuple(layers), known_answer=None)
    require_equal(Engine(nasty, 1, compiled), nasty, pictures)


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_shipped_network_in_threads(threads, rng):
    parameters = load_parameters()
    pictures = rng.integers(0, 256, (23, 32, 32, 3)).astype(np.uint8)
    engine = Engine(parameters, threads)
    assert engine.is_compiled
    assert np.array_equal(engine.sums(pictures), IntegerModel(parameters).sums(pictures))
    assert np.array_equal(engine.sums(pictures[::-1]), engine.sums(pictures)[::-1])
    engine.close()


def test_without_a_picture(parameters):
    for compiled in (True, False):
        assert Engine(parameters, 1, compiled).sums(
            np.empty((0, parameters.network.height, parameters.network.width, 3), np.uint8)
        ).shape == (0, parameters.network.classes)
