"""The wheel that goes to a board: built here without a network, it holds all that is needed there.

Built in a copy, since setuptools takes whatever an older build left in build/lib.
"""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"pynq_bnn": "pynq_bnn", "host_ref": "host_ref", "overlays": "overlays",
            "notebooks": "pynq_bnn_notebooks"}
BUILT = ["bnn.bit", "bnn.hwh", "report.json"]
COMPILED = {".so", ".pyd", ".dll", ".o", ".a", ".pyc"}
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".bin", ".npy", ".gz"}
NOT_OURS = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", "out", "runs",
                                  ".ipynb_checkpoints")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What the wheel is made from, with stand-ins for overlays that aren't built yet."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in (*PACKAGES, "tests", "benchmarks"):
        shutil.copytree(ROOT / name, source / name, ignore=NOT_OURS)
    for board in ("Pynq-Z1", "ZedBoard"):
        folder = source / "overlays" / board
        folder.mkdir(exist_ok=True)
        for name in BUILT:
            if not (folder / name).exists():
                (folder / name).write_text("a stand-in\n")
    return source


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    for tool in ("pip", "setuptools", "wheel"):
        if importlib.util.find_spec(tool) is None:
            pytest.skip(f"building a wheel needs {tool} here: pip install '.[test]'")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet",
                    "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder),
                    str(source)], check=True)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_one_wheel_serves_every_machine(wheel, names):
    assert wheel.name.startswith("pynq_bnn-")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not [name for name in names if Path(name).suffix in COMPILED]


def test_only_our_own_packages_are_installed(names):
    tops = {name.split("/")[0] for name in names}
    info = {top for top in tops if top.endswith(".dist-info")}
    assert len(info) == 1
    assert tops - info == set(PACKAGES.values())


@pytest.mark.parametrize("folder", PACKAGES)
def test_every_file_of_a_package_is_in_it(folder, source, names):
    expected = {PACKAGES[folder] + path.as_posix()[len((source / folder).as_posix()):]
                for path in (source / folder).rglob("*") if path.is_file()}
    assert expected
    assert not expected - set(names)


@pytest.mark.parametrize("needed", [
    "pynq_bnn/weights/cifar10.npz", "pynq_bnn/weights/cifar10-small.npz",
    "overlays/Pynq-Z1/bnn.bit", "overlays/ZedBoard/bnn.hwh",
    "overlays/bitstream/anneal/anneal.c", "overlays/gateware/synth.ys",
    "overlays/gateware/block_rams.txt", "overlays/simulation/harness.cpp",
    "overlays/vivado/build.tcl",
    "pynq_bnn_notebooks/1_first_classification.ipynb"])
def test_what_the_packages_open_is_in_it(needed, names):
    assert needed in names


def test_the_only_picture_is_the_notebooks_own(names):
    found = [name for name in names if Path(name).suffix.lower() in PICTURES]
    assert found == ["pynq_bnn_notebooks/pictures/chelsea.png"]


def test_pynq_finds_driver_overlays_and_notebooks(wheel, names):
    (entry_points,) = [name for name in names if name.endswith("/entry_points.txt")]
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(entry_points).decode()
    for group, value in (("pynq.lib", "pynq_bnn.devices.board.overlay"),
                         ("pynq.overlays", "overlays"), ("pynq.notebooks", "pynq_bnn_notebooks")):
        assert f"[{group}]\npynq_bnn = {value}\n" in text
