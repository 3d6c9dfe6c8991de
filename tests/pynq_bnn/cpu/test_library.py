"""The C compiler: there, missing, broken; and what it made, kept."""

import shutil
import stat
import struct

import pytest

from pynq_bnn.cpu import library as module
from pynq_bnn.cpu.library import library

needs_compiler = pytest.mark.skipif(module.find_compiler() is None, reason="no C compiler here")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pynq-bnn"


@needs_compiler
def test_compiled_once_and_again_for_another_source_or_processor(cache, tmp_path, monkeypatch):
    library()
    (first,) = cache.iterdir()
    before = first.stat().st_mtime_ns
    library()
    assert [path.stat().st_mtime_ns for path in cache.iterdir()] == [before]
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("flags : another\n")
    library()
    assert len(list(cache.iterdir())) == 2
    source = tmp_path / "engine.c"
    source.write_text(module.SOURCE.read_text() + "/* more */\n")
    monkeypatch.setattr(module, "SOURCE", source)
    library()
    assert len(list(cache.iterdir())) == 3


def test_without_a_compiler_numpy_is_left(monkeypatch, cache):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert library() is None
    assert not cache.exists()


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_compiler_that_fails_leaves_nothing(monkeypatch, tmp_path, cache):
    monkeypatch.setenv("CC", script(tmp_path / "cc", "echo no >&2; exit 1"))
    assert library() is None
    assert list(cache.iterdir()) == []


@needs_compiler
def test_a_compiler_that_does_not_know_its_processor(monkeypatch, tmp_path, cache):
    real = shutil.which("cc") or shutil.which("gcc")
    monkeypatch.setenv("CC", script(
        tmp_path / "cc", f'case "$*" in *-march=native*) exit 1;; esac; exec {real} "$@"'))
    assert library() is not None


@pytest.mark.parametrize("machine, pointer, capabilities, has", [
    ("armv7l", 4, 1 << 12, True), ("armv7l", 4, 0xFFFF ^ 1 << 12, False),
    ("aarch64", 4, 1 << 12, True), ("aarch64", 8, 1 << 12, False), ("i686", 4, 1 << 12, False)])
def test_neon_is_used_where_a_32_bit_arm_has_it(monkeypatch, tmp_path, machine, pointer,
                                                capabilities, has):
    auxiliary = tmp_path / "auxv"
    auxiliary.write_bytes(struct.pack("=8I", 17, 1 << 12, 16, capabilities, 6, 4096, 0, 0) + b"odd")
    monkeypatch.setattr(module, "AUXILIARY", auxiliary)
    monkeypatch.setattr(module.platform, "machine", lambda: machine)
    monkeypatch.setattr(module.ctypes, "sizeof", lambda kind: pointer)
    assert module._has_neon() is has
    monkeypatch.setattr(module, "AUXILIARY", tmp_path / "none")
    assert module._has_neon() is False


def test_neon_is_asked_for_first_and_the_rest_are_still_tried(monkeypatch, tmp_path):
    log = tmp_path / "log"
    monkeypatch.setattr(module, "_has_neon", lambda: True)
    monkeypatch.setenv("CC", script(tmp_path / "cc", f'echo "$@" >> {log}; exit 1'))
    assert library() is None
    tried = [line for line in log.read_text().splitlines() if "engine.c" in line]
    assert ["-mfpu=neon" in line for line in tried] == [True, True, False, False]
    assert ["-march=native" in line for line in tried] == [True, False, True, False]
