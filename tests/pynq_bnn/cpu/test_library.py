"""The C compiler: there, missing, broken; and what it made, kept."""

import shutil
import stat

import pytest

from pynq_bnn.cpu import library as module
from pynq_bnn.cpu.library import library

needs_compiler = pytest.mark.skipif(module._compiler() is None, reason="no C compiler here")


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
