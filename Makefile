# make setup   build .venv (once; again only when the pinned versions change)
# make demo    small archives of half-orbits and ionograms, from simulation to scored catalogs
# make test    the tests
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
YOLOX := yolox==0.3.0
DEMO := demo

.PHONY: setup demo test test-slow check house bench bench-cluster bench-rivals bench-tune model model-small detector soak \
  clean freeze

setup: $(READY)

# torch first: yolox is built against it, without its own requirements, which no longer install.
$(READY): requirements.txt pyproject.toml Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation $(YOLOX)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

demo: setup
	rm -rf $(DEMO)
	$(BIN)/odm simulate orbits $(DEMO)/archive --half-orbits 24 --every 150 --burst 0.04 \
	  --start 2021-11-03 --seed 5
	@last=$$(ls $(DEMO)/archive/*.h5 | tail -n 1); head -c 9000000 $$last > $$last.tmp; \
	  mv $$last.tmp $$last; echo "cut short, as files sometimes are: $$last"
	@echo
	$(BIN)/odm reprocess orbits $(DEMO)/archive $(DEMO)/campaign
	@echo
	$(BIN)/odm status $(DEMO)/campaign
	@echo
	$(BIN)/odm score $(DEMO)/campaign --truth $(DEMO)/archive/truth.parquet --out $(DEMO)/scores \
	  --brief
	@echo
	$(BIN)/odm catalog $(DEMO)/campaign --out $(DEMO)/catalog.parquet --show 5 \
	  --pictures $(DEMO)/pictures
	@echo
	$(BIN)/odm simulate ionograms $(DEMO)/ionograms --count 16 --seed 5
	@echo
	$(BIN)/odm reprocess ionograms $(DEMO)/ionograms $(DEMO)/layers --local
	@echo
	$(BIN)/odm score $(DEMO)/layers --truth $(DEMO)/ionograms/truth.parquet \
	  --out $(DEMO)/layer-scores --brief
	@echo
	$(BIN)/odm catalog $(DEMO)/layers --out $(DEMO)/layers.parquet --show 5 \
	  --pictures $(DEMO)/layer-pictures

test: setup
	$(BIN)/python -m pytest -n auto --dist loadgroup

# What takes minutes each: nodes killed under a training, sweeps of several workers, the large export.
test-slow: setup
	$(BIN)/python -m pytest -m slow

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python benchmarks/start_all.py

# Lines per room, circles of imports, long signatures, docstrings: what keeps the code in order.
house:
	$(PYTHON) benchmarks/house.py

bench: setup
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/listing.py
	$(BIN)/python benchmarks/simulator_difficulty.py
	$(BIN)/python benchmarks/baseline.py
	$(BIN)/python benchmarks/models.py
	$(BIN)/python benchmarks/engines.py
	$(BIN)/python benchmarks/ray_train.py
	$(BIN)/python benchmarks/reprocess.py
	$(BIN)/python benchmarks/resume.py
	$(BIN)/python benchmarks/reprocess_ionograms.py
	$(BIN)/python benchmarks/edges.py
	$(BIN)/python benchmarks/report.py

# One node and two on this machine, and the schedule of larger clusters: ten minutes.
bench-cluster: setup
	$(BIN)/python benchmarks/cluster_scaling.py
	$(BIN)/python benchmarks/schedule.py

# Detector and segmenter of layers that come with the package: an hour and a half on a CPU core; goes
# on when killed.
detector: setup
	$(BIN)/python benchmarks/shipped_detector.py
	$(BIN)/python benchmarks/shipped_layers.py
	$(BIN)/python benchmarks/layer_baseline.py --work runs/shipped_detector

# Cell by cell; stop and start at will. Hours with more models and seeds: see its --help.
bench-rivals: setup
	$(BIN)/python benchmarks/rivals.py
	$(BIN)/python benchmarks/choices.py

# Sweeps: an hour; goes on when killed. The sweep and the thresholds share the data of bench-rivals.
bench-tune: setup
	$(BIN)/python benchmarks/tune_overhead.py --nested
	$(BIN)/python benchmarks/tune_thresholds.py --work runs/rivals
	$(BIN)/python benchmarks/tune_sweep.py --work runs/rivals

# The detector of nuclei in odm/models/shipped, from nothing: three hours, of which an hour scores it.
model: setup
	$(BIN)/python benchmarks/ship_nuclei.py

# The detector of nuclei that came with odm before.
model-small: setup
	$(BIN)/python benchmarks/ship_segmenter.py

# Random repetition: damaged files, other seeds. Minutes to hours: SOAK_SECONDS sets it.
soak: setup
	$(BIN)/python -m pytest -m soak -o addopts= tests/soak

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Rewrite requirements.txt from what is installed.
freeze:
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude pip --exclude odm --exclude yolox > requirements.tmp
	printf '# Every version of a working installation; made by "make freeze".\n' > requirements.txt
	sed -E '/^(nvidia|cuda|triton)/ s/$$/ ; platform_system == "Linux" and platform_machine == "x86_64"/' \
	  requirements.tmp >> requirements.txt
	rm requirements.tmp
