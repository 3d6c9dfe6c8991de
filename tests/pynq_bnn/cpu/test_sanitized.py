"""engine.c under AddressSanitizer and UndefinedBehaviorSanitizer, and that they see its faults."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pynq_bnn.cpu.library import SOURCE

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("sanitized.py")
FLAGS = "-O1 -fno-unroll-loops -g -fsanitize=address,undefined -fno-sanitize-recover=all"


def sanitizer():
    """GCC's library of AddressSanitizer, to be loaded before Python itself; or None."""
    if shutil.which("gcc") is None or platform.machine() not in ("x86_64", "aarch64"):
        return None
    found = subprocess.run(["gcc", "-print-file-name=libasan.so"], stdout=subprocess.PIPE,
                           universal_newlines=True).stdout.strip()
    return found if os.path.isabs(found) else None


pytestmark = pytest.mark.skipif(sanitizer() is None, reason="no GCC with sanitizers here")


def run(tmp_path, source, networks, files):
    compiler = tmp_path / "cc"
    compiler.write_text(f'#!/bin/sh\nLD_PRELOAD= exec gcc "$@" {FLAGS}\n')
    compiler.chmod(0o755)
    environment = {**os.environ, "CC": str(compiler), "XDG_CACHE_HOME": str(tmp_path),
                   "PYTHONPATH": str(ROOT), "LD_PRELOAD": sanitizer(),
                   "ASAN_OPTIONS": "detect_leaks=0"}  # Python leaves what it has at its end
    return subprocess.run([sys.executable, str(SCRIPT), str(source), str(networks), str(files)],
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, timeout=600)


def test_random_networks_and_faulty_files(tmp_path):
    result = run(tmp_path, SOURCE, 15, 150)
    assert result.returncode == 0, result.stderr[-4000:]
    counts = json.loads(result.stdout)
    assert counts["taken"] >= 20
    assert counts["refused"] >= 50


@pytest.mark.slow
def test_many(tmp_path):
    result = run(tmp_path, SOURCE, 300, 4000)
    assert result.returncode == 0, result.stderr[-4000:]


@pytest.mark.parametrize("line, fault, said", [
    ("inside = row >= 0 && row < height", "inside = row >= 0 && row <= height", "AddressSanitizer"),
    ("columns = layer->width - less;", "columns = layer->width;", "AddressSanitizer"),
    ("(weights + n * outputs + output)", "(weights + n * outputs + output + 1)",
     "AddressSanitizer"),
    ("sums[o] = words * 64 -", "sums[o] = (words << 20) * 65536 -", "runtime error"),
])
def test_a_planted_fault_is_seen(tmp_path, line, fault, said):
    text = SOURCE.read_text(encoding="utf-8")
    assert line in text
    source = tmp_path / "engine.c"
    source.write_text(text.replace(line, fault), encoding="utf-8")
    result = run(tmp_path, source, 8, 0)
    assert result.returncode != 0
    assert said in result.stderr
