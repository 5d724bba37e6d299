# make setup   build .venv (once; again only when the pinned versions change)
# make demo    a small archive from simulation to pictures
# make test    the tests
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
YOLOX := yolox==0.3.0
DEMO := demo

.PHONY: setup demo test check bench soak clean freeze detector

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
	$(BIN)/odm simulate orbits $(DEMO)/archive --half-orbits 10 --every 150 \
	  --start 2021-11-03 --seed 7
	@echo; echo "One half-orbit:"
	@first=$$(ls $(DEMO)/archive/*.h5 | head -n 1); \
	  $(BIN)/odm inspect $$first --picture $(DEMO)/pictures/$$(basename $$first .h5).png
	@echo; echo "Pictures of those with a nucleus, outlined:"
	@for mask in $(DEMO)/archive/masks/*.png; do \
	  name=$$(basename $$mask .png); \
	  $(BIN)/odm inspect $(DEMO)/archive/$$name.h5 --picture $(DEMO)/pictures/$$name.png \
	    | grep '^picture' || exit 1; \
	done
	@echo; echo "Pictures for LabelImg or LabelMe, and their labels back:"
	$(BIN)/odm label export $(DEMO)/archive $(DEMO)/to_label --with-truth $(DEMO)/archive
	$(BIN)/odm label import $(DEMO)/to_label $(DEMO)/to_label/truth/labelme $(DEMO)/annotations \
	  --exact-edges
	$(BIN)/odm dataset create $(DEMO)/archive --annotations $(DEMO)/annotations \
	  --out $(DEMO)/dataset.yaml

test: setup
	$(BIN)/python -m pytest -n auto

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/listing.py
	$(BIN)/python benchmarks/simulator_difficulty.py
	$(BIN)/python benchmarks/baseline.py
	$(BIN)/python benchmarks/models.py
	$(BIN)/python benchmarks/engines.py

# The detector that comes with the package: half an hour on two idle cores; goes on when killed.
detector: setup
	$(BIN)/python benchmarks/shipped_detector.py

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
