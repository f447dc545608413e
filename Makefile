# make demo               a sample photo becomes a textured head, in out/astronaut/
# make demo PHOTO=me.jpg  the same for your own photo
# make test               lint, types, and every test, those in real Blender modules included
# make test-long          what takes hours: an hour of mixed work for the backend, half an hour of
#                         damaged input, its installation in every Blender
# make docs               pages of the interfaces from their docstrings, in out/docs/
# make try-training       a tiny training from drawn photos to new weights, see training/README.md

PYTHON ?= python3
VENV ?= .venv
PHOTO ?=
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SYNERGYFACE = $(VENV)/bin/synergyface
TEST_DATA = $(CURDIR)/.test-data

.PHONY: demo test lint-and-environments test-long test-python test-python-long try-training lint docs addon clean

demo: $(VENV)/.installed-demo
	$(SYNERGYFACE) assets fetch --accept-bfm-license
	$(SYNERGYFACE) demo $(if $(PHOTO),"$(PHOTO)") -o out

# Environments, stubs and downloads come beside lint and the Python tests. Every process computes in
# one thread: there are as many processes as processors.
test: export OMP_NUM_THREADS = 1
test: $(VENV)/.installed-dev
	$(MAKE) --no-print-directory -j 2 --output-sync=line lint-and-environments test-python
	$(MAKE) --no-print-directory addon test-blender

lint-and-environments: blender-envs
	$(MAKE) --no-print-directory lint

test-long: test-python-long test-blender-long

lint: $(VENV)/.installed-dev .venvs/stubs-4.2 .venvs/stubs-5.0
	$(VENV)/bin/python build_addon.py --exchange
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/basedpyright
	$(VENV)/bin/basedpyright -p tests/blender/pyright-4.2.json
	$(VENV)/bin/basedpyright -p tests/blender/pyright-5.0.json

docs: $(VENV)/.installed-dev
	$(VENV)/bin/python build_docs.py

test-python: $(VENV)/.installed-dev
	SYNERGYFACE_DATA="$(TEST_DATA)" $(SYNERGYFACE) assets fetch --accept-bfm-license
	SYNERGYFACE_DATA="$(TEST_DATA)" $(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
		--durations=25

test-python-long: export SYNERGYFACE_SOAK_SECONDS = 3600
test-python-long: export SYNERGYFACE_FUZZ_SECONDS = 1800
test-python-long: export SYNERGYFACE_LONG = 1
test-python-long: $(VENV)/.installed-dev
	SYNERGYFACE_DATA="$(TEST_DATA)" $(VENV)/bin/python -m pytest --timeout 900 \
		tests/backend/test_load.py tests/backend/test_fuzz_contract.py tests/backend/test_fuzz_files.py \
		tests/backend/test_fuzz_clips.py tests/backend/test_telemetry.py

try-training: $(VENV)/.installed-dev
	SYNERGYFACE_DATA="$(TEST_DATA)" $(VENV)/bin/python -m pytest tests/training/test_end_to_end.py

addon: $(VENV)/.installed-dev
	$(VENV)/bin/python build_addon.py

include tests/blender/blender.mk

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "SynergyFace needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); \
		echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 2; }

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[demo,train,dev]'
	@touch $@ $(VENV)/.installed-demo

clean:
	rm -rf $(VENV) .venvs .test-data build dist out *.egg-info
