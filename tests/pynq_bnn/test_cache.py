import os
import threading

import pytest

from pynq_bnn.cache import alone, cache


def test_the_folder_is_the_users_and_made(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "there"))
    assert cache() == tmp_path / "there" / "pynq-bnn"
    assert cache().is_dir()


@pytest.mark.skipif(os.name != "posix", reason="files are locked on Unix alone")
def test_who_wants_the_same_file_waits_until_it_is_made(tmp_path):
    path, made = tmp_path / "library.so", []

    def make(number, inside=lambda: None):
        with alone(path):
            if not path.exists():
                inside()
                path.touch()
                made.append(number)

    entered, go_on = threading.Event(), threading.Event()

    def wait():
        entered.set()
        assert go_on.wait(20)

    first = threading.Thread(target=make, args=(1, wait))
    first.start()
    assert entered.wait(20)
    second = threading.Thread(target=make, args=(2,))
    second.start()
    second.join(0.3)
    assert second.is_alive()
    assert made == []
    go_on.set()
    for thread in (first, second):
        thread.join(20)
    assert made == [1]


def test_one_that_fails_lets_others_in(tmp_path):
    path = tmp_path / "library.so"
    with pytest.raises(KeyError), alone(path):
        raise KeyError
    with alone(path):
        pass
