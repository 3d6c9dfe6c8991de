import sys

import pytest

from overlays.simulation import library


def test_a_compiler_that_does_not_end_is_an_error_with_advice(monkeypatch):
    monkeypatch.setattr(library, "BUILD_TIMEOUT_S", 0.2)
    with pytest.raises(library.SimulationUnavailable, match=r"did not end within 0.2 s.*model"):
        library._run([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_compiler_that_fails_shows_the_end_of_what_it_said():
    with pytest.raises(library.SimulationUnavailable, match="failed:\nno such thing"):
        library._run([sys.executable, "-c", "print('no such thing'); raise SystemExit(1)"])


def test_progress_passes_everything_on():
    assert list(library._with_progress(iter("abc"), 3)) == ["a", "b", "c"]
