# make demo   set everything up and paint a photograph into painted/
# make test   set everything up and run the tests
# make lint   set everything up and run the linters and the type checker
# make pictures   paint the pictures of the README anew
# make clean  remove everything that these made

PYTHON ?= python3
PIP := .venv/bin/python -m pip --disable-pip-version-check
READY := .venv/.ready
TESTED := .venv/.tested
LARGE := ^triton==
EXAMPLE := chelsea

.PHONY: demo test lint pictures setup clean

demo: $(READY)
	.venv/bin/semantic-guidance paint examples/$(EXAMPLE).jpg --out painted
	@echo "Look at painted/$(EXAMPLE)_painted.png, and at painted/$(EXAMPLE)_painted.mp4 to see how it came to be."

test: $(TESTED)
	.venv/bin/python -m pytest -n 2 --dist loadfile

lint: $(TESTED)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

pictures: $(READY)
	.venv/bin/python docs/make_pictures.py

setup: $(READY)

# Torch comes first and by its version alone, which lets the registry choose the build for this machine.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet $(shell grep '^torch==' requirements.lock)
	grep -v '$(LARGE)' requirements.lock > .venv/small.lock
	$(PIP) install --quiet -r .venv/small.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# What only tests need, and is large: Triton, in whose interpreter the graphics card's kernels are tested.
$(TESTED): $(READY)
	grep '$(LARGE)' requirements.lock > .venv/large.lock
	$(PIP) install --quiet -r .venv/large.lock
	touch $@

clean:
	rm -rf .venv painted dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
