# make demo   set everything up and paint a photograph into painted/
# make studio set everything up and open the studio, a page to paint in
# make test   set everything up and run the tests
# make test-long   the tests that take longer than ten seconds each, which 'make test' leaves out
# make lint   set everything up and run the linters and the type checker
# make pictures   paint the pictures of the README anew
# make lock   choose the newest versions that were locked or are allowed, and write the locks with their hashes
# make audit  ask the package index for known holes in what is locked
# make release   build the distributions, a list of all that they bring (SBOM), and their hashes into dist/
# make clean  remove everything that these made

PYTHON ?= python3
PIP := .venv/bin/python -m pip --disable-pip-version-check
READY := .venv/.ready
TESTED := .venv/.tested
INSTALL := $(PIP) install --quiet --no-compile
HASHED := $(INSTALL) --no-deps --require-hashes
TORCH := $(shell grep '^torch==' requirements/torch.lock)
TOOLS := .tools/.ready
LONG := .long/.ready
CLUSTERED := .venv/.clustered
LOCK := .tools/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
EXAMPLE := chelsea

# Whatever the shell says, modules are compiled once: without that, each process takes seconds longer to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo studio test test-long lint pictures setup lock audit release clean

demo: $(READY)
	.venv/bin/semantic-guidance paint examples/$(EXAMPLE).jpg --out painted
	@echo "Look at painted/$(EXAMPLE)_painted.png, and at painted/$(EXAMPLE)_painted.mp4 to see how it came to be."

studio: $(READY)
	.venv/bin/semantic-guidance serve --open

test: $(TESTED)
	.venv/bin/python -m pytest -n 2 --dist loadfile

test-long: $(TESTED) $(LONG) $(CLUSTERED)
	.venv/bin/python -m pytest --long tests/benchmarks tests/renderer/test_native.py tests/apps/serve \
		tests/painter/test_painter.py tests/painter/test_watching.py tests/painter/test_batch.py \
		tests/learning/algorithms/test_ddpg.py tests/apps/film tests/apps/batch tests/cluster \
		tests/export/test_video_formats.py tests/export/test_svg.py

lint: $(TESTED)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --num-workers 2

pictures: $(READY)
	.venv/bin/python docs/make_pictures.py

setup: $(READY)

# Modules are compiled when they are first imported, not all of them now: that takes half a minute.
# Torch comes last and by its version alone, which lets the registry choose the build for this machine; all
# that a build for processors needs is there already, with its hash checked.
$(READY): requirements.lock requirements/torch.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(HASHED) -r requirements.lock
	$(INSTALL) $(TORCH)
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# What only tests need, and is large: Triton, in whose interpreter the graphics card's kernels are tested, and
# Playwright, which drives a browser.
$(TESTED): $(READY) requirements/triton.lock requirements/browser.lock
	$(HASHED) -r requirements/triton.lock -r requirements/browser.lock
	touch $@

# What work on a cluster needs: large, and for long tests alone. Without it, their others are skipped.
$(CLUSTERED): $(TESTED) requirements/cluster.lock
	$(HASHED) -r requirements/cluster.lock
	touch $@

# What only long tests need, programs alone: one attacks the server by its schema, one reads the Dockerfile,
# one is a server that speaks S3's language.
$(LONG): requirements/long.lock
	$(PYTHON) -m venv .long
	.long/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r $<
	touch $@

$(TOOLS): requirements/tools.lock
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r $<
	touch $@

lock: $(TOOLS)
	$(LOCK) pyproject.toml requirements/torch.in --extra dev --extra train --extra datasets \
		--override requirements/apart.in --output-file requirements.lock
	$(LOCK) requirements/triton.in --output-file requirements/triton.lock
	$(LOCK) requirements/browser.in --output-file requirements/browser.lock
	$(LOCK) requirements/cluster.in --constraint requirements.lock --output-file requirements/cluster.lock
	$(LOCK) requirements/long.in --output-file requirements/long.lock
	$(LOCK) requirements/tools.in --output-file requirements/tools.lock

audit: $(TOOLS)
	.tools/bin/pip-audit --disable-pip --require-hashes -r requirements.lock -r requirements/triton.lock \
		-r requirements/browser.lock
	.tools/bin/pip-audit --disable-pip --require-hashes -r requirements/cluster.lock
	.tools/bin/pip-audit --disable-pip --no-deps -r requirements/torch.lock

# The list is made where the wheel is installed with nothing but what it needs.
release: $(TOOLS) $(READY)
	rm -rf dist build/installed
	.venv/bin/hatchling build
	mkdir -p build
	sed -E '/^ *--hash|^#/d; s/ *\\$$//' requirements.lock > build/versions.txt
	$(PYTHON) -m venv build/installed
	build/installed/bin/python -m pip install --quiet $(TORCH)
	build/installed/bin/python -m pip install --quiet --constraint build/versions.txt dist/*.whl
	build/installed/bin/python -m pip uninstall --quiet --yes pip
	.tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.cdx.json build/installed/bin/python
	cd dist && sha256sum * > SHA256SUMS

clean:
	rm -rf .venv .tools .long painted dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
