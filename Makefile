# `make run` opens the app, `make test` runs the tests; each sets up what it needs first.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
BIN := .venv/bin
# One process of tests more than cores: in two on two cores a third of the time was spent waiting for
# servers and sandboxes. Each may hold 5 GB, and over four of them wait for tests/browser, which is one's.
CORES := $(shell nproc 2>/dev/null || echo 2)
ROOM := $(shell awk '/^MemAvailable/ {print int($$2 / 5000000)}' /proc/meminfo 2>/dev/null || echo 2)
PROCESSES ?= $(shell printf '%s\n' $$(($(CORES) + 1)) $(ROOM) 4 | sort -n | sed 's/^0$$/1/;q')

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test soak check lint bench tables lock models screenshots clean

help:
	@echo "make run          set up and open the app on http://localhost:8501"
	@echo "make test         set up and run the tests, in PROCESSES=$(PROCESSES) processes"
	@echo "make check        format, lint, types and tests"
	@echo "make soak         every hostile and damaged file, a siege, an upload of 1.9 GB (4 GB of disk)"
	@echo "make bench        time our engines beside the libraries' (ONLY=rise one part, FULL=1 at full size)"
	@echo "make tables       measure the tables of docs/ again"
	@echo "make setup        the virtual environment and its packages only"
	@echo "make lock         rewrite requirements.txt from requirements.in (needs uv)"
	@echo "make models       train the built-in models, draw the photos, record the methods"
	@echo "make screenshots  draw the pictures of the README again"

# --no-deps: requirements.txt is the whole list; docs/decisions/0001-the-install.md says why.
.venv/.run-ready: requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "Vitrine needs $(PYTHON); name another with make PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv: about 6.5 GB and a few minutes, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.txt
	@touch $@

.venv/.dev-ready: .venv/.run-ready requirements-dev.txt
	@echo "Adding the tools for tests"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-dev.txt
	@touch $@

setup: .venv/.run-ready

setup-dev: .venv/.dev-ready

run: setup
	@echo "Vitrine opens on http://localhost:8501 (Ctrl-C ends it)"
	@$(BIN)/python -m streamlit run app.py

test: setup-dev
	@$(BIN)/python -m pytest -n $(PROCESSES)

# The files that ask SOAK, whole.
soak: setup-dev
	@VITRINE_SOAK=1 $(BIN)/python -m pytest -s tests/hostile tests/workers/test_answers_fuzz.py tests/test_cli.py \
	  tests/browser tests/benchmarks tests/loaders/test_doctor.py tests/loaders/torch/test_detectors.py \
	  tests/xai_core/test_parity.py tests/xai_core/test_rise.py
	@$(BIN)/python -m benchmarks.siege

lint: setup-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

check: lint test

bench: setup-dev
	@$(BIN)/python -m benchmarks.speed --only "$(ONLY)" $(if $(FULL),--full)

tables: setup-dev
	@$(BIN)/python -m benchmarks.lime_mark
	@$(BIN)/python -m benchmarks.rise
	@$(BIN)/python -m benchmarks.training
	@$(BIN)/python -W ignore -m benchmarks.doubts
	@$(BIN)/python -W ignore -m benchmarks.formats
	@$(BIN)/python -m benchmarks.hiding
	@$(BIN)/python -W ignore -m benchmarks.counter
	@$(BIN)/python -W ignore -m benchmarks.peaks
	@$(BIN)/python -W ignore -m benchmarks.gaps
	@$(BIN)/python -W ignore -m benchmarks.boxes
	@$(BIN)/python -W ignore -m benchmarks.few_passes
	@$(BIN)/python -W ignore -m benchmarks.settling
	@$(BIN)/python -W ignore -m benchmarks.growth
	@$(BIN)/python -m benchmarks.methods
	@$(BIN)/python -m benchmarks.sentences

lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	uv pip compile -q --python-version 3.11 --no-annotate --custom-compile-command "make lock" requirements.in -o requirements.txt
	uv pip compile -q --no-config --python-version 3.11 --no-annotate --custom-compile-command "make lock" requirements-dev.in -o requirements-dev.txt

models: setup
	@$(BIN)/python -m assets.make_models
	@$(BIN)/python -m assets.make_photos
	@$(BIN)/python -m assets.make_recordings
	@$(BIN)/python -m assets.make_trainings

screenshots: setup-dev
	@$(BIN)/python -m assets.make_screenshots

clean:
	rm -rf .venv
