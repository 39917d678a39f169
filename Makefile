# Everything below needs git, make and Python 3.11 or newer, and makes its own .venv.
# TORCH chooses the PyTorch build; torchvision in it comes from the same place, which CUDA builds need:
# make TORCH="torch torchvision --index-url https://download.pytorch.org/whl/cu128"
TORCH ?= torch==2.13.0
PYTHON ?= python3
MICROTOME_SHARED ?= ../shared/data
VENV := .venv
BIN := $(VENV)/bin
KEPT := $(VENV)/torch-version.txt
export MICROTOME_SHARED

.PHONY: demo test test-whole test-parts lint types layers results bench clean

$(VENV)/made: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("microtome needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

# The constraint: no extra replaces the build chosen above, and torchvision is the release that fits it.
$(VENV)/made-dev: $(VENV)/made
	$(BIN)/python -c 'from importlib.metadata import version; print("torch==" + version("torch"))' > $(KEPT)
	$(BIN)/python -m pip install --quiet --constraint $(KEPT) --editable '.[dev]'
	touch $@

demo: $(VENV)/made
	$(BIN)/microtome demo --out runs/demo

lint: $(VENV)/made-dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check --quiet src tests benchmarks

types: $(VENV)/made-dev
	$(BIN)/pyright

layers: $(VENV)/made-dev
	$(BIN)/lint-imports

# Two halves beside each other, a thread each: what trains and runs real networks, and all the rest.
test: lint types layers
	$(MAKE) --no-print-directory -j2 --output-sync=target test-whole test-parts

test-whole: $(VENV)/made-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -p no:cacheprovider tests/real tests/planted

test-parts: $(VENV)/made-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -p no:cacheprovider tests/unit tests/reference tests/contract tests/architecture tests/web

results: $(VENV)/made-dev
	$(BIN)/python -m tests.real.results --out docs/results
	$(BIN)/python -m tests.real.clip_page --out docs/results
	$(BIN)/python -m tests.real.audit_page --out docs/results

bench: $(VENV)/made-dev
	$(BIN)/python -m benchmarks.table

clean:
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .hypothesis .import_linter_cache
