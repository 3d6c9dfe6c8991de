"""One process at a time, with real processes."""

import gc
import os
import subprocess
import sys

import pytest

from pynq_bnn.devices.board import ownership
from pynq_bnn.devices.board.ownership import Claim
from pynq_bnn.errors import BusyError


class Owner:
    pass


OTHER = """
import sys, pathlib
from pynq_bnn.devices.board import ownership
from pynq_bnn.errors import BusyError
ownership.LOCK = pathlib.Path(sys.argv[1])
class Owner: pass
try:
    owner = Owner()
    claim = ownership.Claim(owner)
except BusyError as error:
    print(error)
else:
    print("mine", flush=True)
    if len(sys.argv) > 2:
        sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def lock(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    monkeypatch.setattr(ownership, "LOCK", path)
    yield path
    gc.collect()
    assert ownership._file is None, "a test left a claim"


def another(lock):
    """What another process says that wants the accelerator."""
    return subprocess.run([sys.executable, "-c", OTHER, str(lock)], check=True, text=True,
                          stdout=subprocess.PIPE, timeout=60).stdout.strip()


def test_a_second_process_is_told_of_the_first(lock):
    owner = Owner()
    claim = Claim(owner)
    said = another(lock)
    assert f"in use by process {os.getpid()} (" in said
    assert "shut its notebook kernel down" in said
    claim.release()
    claim.release()
    assert another(lock) == "mine"


def test_it_is_held_until_the_last_claim_is_given_back(lock):
    owners = [Owner() for _ in range(3)]
    claims = [Claim(owner) for owner in owners]
    claims[0].release()
    assert "in use" in another(lock)
    del owners[1:]
    gc.collect()
    assert another(lock) == "mine"


def test_a_process_that_was_killed_holds_nothing(lock):
    with subprocess.Popen([sys.executable, "-c", OTHER, str(lock), "wait"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline().strip() == "mine"
        with pytest.raises(BusyError, match=f"in use by process {other.pid} "):
            Claim(Owner())
        other.kill()
    owner = Owner()
    Claim(owner).release()


def test_a_forked_child_neither_has_nor_loses_it(lock):
    owner = Owner()
    claim = Claim(owner)
    child = os.fork()
    if not child:
        try:
            os._exit(0 if ownership._file is None and _refused() else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert "in use" in another(lock), "the child's end did not unlock it"
    claim.release()
    assert another(lock) == "mine"


def _refused():
    try:
        Claim(Owner())
    except BusyError:
        return True
    return False
