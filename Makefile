# Thin names over ordinary commands. docs/setup.md shows the same for Windows.
# make lab LAB_ARGS="--no-browser --port 8899"      flags for JupyterLab
# make test JOBS=4                                 test files at the same time
# make grade SUBMISSIONS=class.zip GRADES=grades GRADE_ARGS="--exercise 01 --resume"
# make lab PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"   a smaller torch on Linux without a GPU

PYTHON ?= python3
VENV ?= .venv
LAB_ARGS ?=
PIP_ARGS ?=
TEST_ARGS ?=
STANDALONE_ARGS ?=
JOBS ?= 2
SUBMISSIONS ?= submissions
GRADES ?= grades
GRADE_ARGS ?=
SITE_ARGS ?=
BIN := $(VENV)/bin
# JupyterLab refuses to run as root unless told to; in a bare container root is all there is
ROOT_FLAG := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)

.PHONY: lab test standalone lessons site linkcheck grade lint lint-js clean
.DEFAULT_GOAL := lab

# set up once: copy the course into my-course/, bring the copies up to date, and open them
lab: $(VENV)/.course
	-$(BIN)/diffusion-lab doctor
	-@[ -e first_digits.png ] || $(BIN)/diffusion-lab sample digits --out first_digits.png --guidance-scale 2
	@$(BIN)/diffusion-lab copy-course
	$(BIN)/jupyter lab $(ROOT_FLAG) --LabApp.default_url=/lab/tree/my-course/notebooks/00_start_here.ipynb $(LAB_ARGS)

# set up once: run every test
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --timeout 600 $(TEST_ARGS)

# every notebook on its own, in fresh environments as on Colab and Binder: 12 GB for a while, and half an hour
standalone: $(VENV)/.dev
	$(BIN)/python tools/standalone_notebooks.py colab $(STANDALONE_ARGS)
	$(BIN)/python tools/standalone_notebooks.py binder $(STANDALONE_ARGS)

# execute the lessons again and keep their outputs
lessons: $(VENV)/.dev
	$(BIN)/python tools/run_lessons.py

# set up once: build the site from the stored lessons, in build/site/html
site: $(VENV)/.site
	$(BIN)/python tools/build_site.py $(SITE_ARGS)

# set up once: ask whether the links to other servers still lead somewhere
linkcheck: $(VENV)/.site
	$(BIN)/python tools/build_site.py --linkcheck

# set up once: grade a class, see docs/instructors.md
grade: $(VENV)/.course
	$(BIN)/diffusion-lab grade "$(SUBMISSIONS)" --out "$(GRADES)" $(GRADE_ARGS)

# set up once: everything that is checked without running the course; it changes no file
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/clean_notebooks.py --check notebooks/*.ipynb solutions/*.ipynb exercises/*.ipynb
	@$(MAKE) --no-print-directory lint-js

# the script of the players; npm is for this alone
lint-js:
	@if command -v npm > /dev/null; then npm ci --no-progress > /dev/null && npm run --silent lint; \
	else echo "no npm here: the script of the players is not linted"; fi

# what was set up and built; my-course/ is the student's, and stays
clean:
	rm -rf $(VENV) build/site first_digits.png

$(VENV)/.course: pyproject.toml | $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) -e ".[course]"
	@touch $@

$(VENV)/.site: pyproject.toml | $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) -e ".[site]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) -e ".[dev]"
	@touch $@ $(VENV)/.course $(VENV)/.site

$(VENV):
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and 'diffusion-lab needs Python 3.10 or later; yours is ' + sys.version.split()[0] + '. Try: make PYTHON=python3.11')"
	$(PYTHON) -m venv $@ || { rm -rf $@; echo "on Debian and Ubuntu: apt install python3-venv, then make again"; exit 1; }
