# `make demo` and `make test` are all that a fresh machine needs; each builds its own environment.
PYTHON ?= python3
TORCH ?= torch
PIP = bin/python -m pip install --quiet --disable-pip-version-check
PICTURE ?= notebooks/pictures/chelsea.png
BOARD ?= Pynq-Z1

.PHONY: demo test test-main test-pynq test-training test-rtl test-slow synth lint prove benchmarks bench-arm test-arm \
  overlay overlay-proof wheel notebooks docs test-docs clean

demo: .venv/ready
	mkdir -p out
	.venv/bin/python -m pynq_bnn classify $(PICTURE) --top 3 --figure out/demo.png
	.venv/bin/python -m pynq_bnn check $(PICTURE)

test: lint test-main test-pynq

lint: .venv-test/ready
	.venv-test/bin/ruff check .
	.venv-test/bin/mypy
	.venv-test/bin/vermin --target=3.8- --violations --eval-annotations --no-tips pynq_bnn host_ref overlays setup.py

# Two at a time, file by file: what a file's tests share is made once.
test-main: .venv-test/ready
	.venv-test/bin/python -m pytest -m "not slow" -n 2 --dist loadfile

# The real PYNQ on a simulated device: 3.1 (numpy < 2, so this is the old-numpy run too) and 4.0.
test-pynq: .venv-pynq31/ready .venv-pynq40/ready
	.venv-pynq31/bin/python -m pytest tests/pynq_sim tests/pynq_bnn -m "not slow"
	.venv-pynq40/bin/python -m pytest tests/pynq_sim

# PyTorch's default wheel brings gigabytes of CUDA: TORCH says which one to take.
test-training: .venv-training/ready
	.venv-training/bin/python -m pytest tests/host_ref/training tests/notebooks

# The gateware: every block, random networks on both configurations, the full network (ten minutes).
test-rtl: .venv-test/ready
	.venv-test/bin/python -m pytest tests/overlays/gateware tests/pynq_bnn/devices/test_rtl.py \
	  tests/pynq_bnn/devices/test_rtl_full.py

# Claims about blocks for all inputs and all time, and faults that break them; wants Debian's yosys.
prove: .venv-test/ready
	.venv-test/bin/python -m pytest tests/proofs

# Cost on an xc7z020; wants Debian's yosys.
synth: .venv-test/ready
	mkdir -p build
	.venv-test/bin/python -m overlays.gateware.verilog build/zynq.v --zynq
	yosys -q -l build/synth.log overlays/gateware/synth.ys
	tail -n 40 build/synth.log

test-slow: .venv-test/ready
	.venv-test/bin/python -m pytest -m slow

benchmarks: .venv-test/ready
	for each in benchmarks/*.py; do .venv-test/bin/python $$each || exit 1; done

# Instructions on an emulated Cortex-A9; wants Debian 12, and as root installs its qemu-user
# and the compiler for it.
bench-arm: .venv-test/ready
	.venv-test/bin/python benchmarks/arm.py --json benchmarks/arm/counted.json

# The tests there, with the real PYNQ 3.1 for tests/pynq_sim; an hour and more.
test-arm: .venv-test/ready
	.venv-test/bin/python benchmarks/arm/run_tests.py

# A board's overlay; docs/overlay.md has the tools that it wants.
overlay: .venv-test/ready
	.venv-test/bin/python -m overlays.bitstream $(BOARD)

# What its bits configure, run under the driver; half an hour after `make overlay`, with its tools.
overlay-proof: .venv-test/ready
	.venv-test/bin/python -m overlays.bitstream.proof $(BOARD)

# Run the notebooks on the model and keep what they show.
notebooks: .venv-training/ready
	.venv-training/bin/python docs/notebooks.py

# The site, into build/site.
docs: .venv-docs/ready
	.venv-docs/bin/python docs/site

# Every page of it in a real browser, on a desk and on a phone; wants Debian's chromium and chromium-driver.
test-docs: docs
	.venv-docs/bin/python -m pytest tests/docs

# Without the isolated environment, which would need a network; build/lib would bring back old files.
wheel: .venv-test/ready
	rm -rf build/lib build/bdist.* dist/pynq_bnn-*.whl
	.venv-test/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	wc -c dist/pynq_bnn-*.whl

clean:
	rm -rf .venv .venv-test .venv-pynq31 .venv-pynq40 .venv-training .venv-docs build dist out *.egg-info

# Debian splits the venv module off; as root we can mend that, else we say how.
define VENV
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  test "$$(id -u)" = 0 && apt-get -qq update && apt-get -qq install -y python3-venv; } || { \
	  echo "Python's venv module is missing: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(@D)
endef

.venv/ready: setup.py
	$(VENV)
	$(@D)/$(PIP) --editable '.[plot,progress]'
	touch $@

# cocotbext-axi says it wants an older cocotb; what we use of it runs on today's
.venv-test/ready: setup.py
	$(VENV)
	$(@D)/$(PIP) --editable '.[test,lint,rtl]' 'cocotb>=2.1,<3' 'mini-racer>=0.12'
	$(@D)/$(PIP) --no-deps cocotbext-axi==0.1.28 cocotb-bus==0.3.0
	touch $@

.venv-pynq31/ready: setup.py
	$(VENV)
	$(@D)/$(PIP) --editable '.[test,pynq]'
	touch $@

.venv-pynq40/ready: setup.py
	$(VENV)
	$(@D)/$(PIP) --editable '.[test]' 'pynq==4.0.0' 'pycparser<3' 'numpy<2'
	touch $@

.venv-training/ready: setup.py
	$(VENV)
	$(@D)/$(PIP) '$(TORCH)'
	$(@D)/$(PIP) --editable '.[test,training]'
	touch $@

.venv-docs/ready: setup.py
	$(VENV)
	$(@D)/$(PIP) --editable '.[docs]'
	touch $@
