# `make help` lists what there is. V=1 shows the commands.
SHELL := /bin/bash
.DEFAULT_GOAL := help
Q := $(if $(V),,@)
PY := .venv/bin/python
CORE := build/core
FOREIGN := build/foreign
C_FILES = $(shell git ls-files 'lb/*.[ch]' 'tests/lb/*.[ch]' 'pipeline/*.[ch]' 'tests/foreign/*.[ch]')
PACKAGES := lb exporters pipeline dashboards alerts
DEMO_SECONDS ?= 0
FUZZ_SECONDS ?= 600
FUZZ_TARGETS := fuzz-parse fuzz-worker core/base/fuzz-config
# Silent unless it fails; a warning is a failure. Folder, targets (all).
NINJA = ninja -C $(1) $(2) >build/ninja-$(notdir $(1)).log 2>&1 || { cat build/ninja-$(notdir $(1)).log; false; }

##@ Run
.PHONY: demo
demo: setup hugepages ## the whole system on this machine; DEMO_SECONDS=n ends it after n seconds
	$(Q).venv/bin/popscope demo --seconds $(DEMO_SECONDS)

.PHONY: setup
setup: build/.system-run venv core foreign ## install what is missing: Debian packages (as root), .venv, the C parts

.PHONY: core
core: $(CORE)/build.ninja ## build the core into build/core
	$(Q)$(call NINJA,$(CORE))

.PHONY: foreign
foreign: $(FOREIGN)/build.ninja ## build the pipeline's decoder of foreign metrics into build/foreign
	$(Q)$(call NINJA,$(FOREIGN))

.PHONY: hugepages
hugepages: ## reserve hugepages where they can be had, and say what was found
	$(Q)lb/devtools/hugepages 512

##@ Check
.PHONY: test
test: setup-test hugepages lint test-c test-py ## everything that CI runs

.PHONY: setup-test
setup-test: build/.system-test venv core foreign

.PHONY: lint
lint: venv ## formats, types, the one-way rule, spelling, freshness of generated files
	$(Q).venv/bin/ruff check --quiet .
	$(Q).venv/bin/ruff format --quiet --check .
	$(Q).venv/bin/clang-format --dry-run --Werror $(C_FILES)
	$(Q).venv/bin/mypy --no-error-summary
	$(Q).venv/bin/lint-imports --no-cache >build/lint-imports.log || { cat build/lint-imports.log; false; }
	$(Q).venv/bin/codespell
	$(Q)$(MAKE) --no-print-directory gen-check

.PHONY: test-c
test-c: core foreign build/asan/build.ninja build/foreign-asan/build.ninja build/fuzz/build.ninja ## the C tests, as built and under the address and undefined-behaviour sanitizers
	$(Q)$(call NINJA,build/asan)
	$(Q)$(call NINJA,build/fuzz,$(FUZZ_TARGETS))
	$(Q)for b in core asan; do meson test -C build/$$b --quiet --print-errorlogs --no-rebuild || exit 1; done
	$(Q)lb/devtools/fuzz build/fuzz -runs=10000

.PHONY: fuzz
fuzz: build/fuzz/build.ninja ## fuzz the packet path and the configuration, FUZZ_SECONDS each
	$(Q)$(call NINJA,build/fuzz,$(FUZZ_TARGETS))
	$(Q)lb/devtools/fuzz build/fuzz -max_total_time=$(FUZZ_SECONDS)

.PHONY: test-py
test-py: venv core foreign ## the Python tests; those with namespaces or a browser one at a time
	$(Q).venv/bin/pytest -n 3 --dist loadfile -m "not netns"
	$(Q).venv/bin/pytest -m netns

.PHONY: format
format: venv ## format all code
	$(Q).venv/bin/ruff check --quiet --fix . ; .venv/bin/ruff format --quiet .
	$(Q).venv/bin/clang-format -i $(C_FILES)

##@ Generate
.PHONY: gen
gen: venv ## write everything that is generated: names, docs, migrations, dashboards, alert rules
	$(Q)$(PY) -m lb.devtools.gen_counters --write
	$(Q)$(PY) -m pipeline.devtools.gen_migration --write
	$(Q).venv/bin/popscope dashboards render
	$(Q).venv/bin/popscope alerts render

.PHONY: gen-check
gen-check: venv
	$(Q)$(PY) -m lb.devtools.gen_counters --check
	$(Q)$(PY) -m pipeline.devtools.gen_migration --check
	$(Q).venv/bin/popscope dashboards render --check
	$(Q).venv/bin/popscope alerts render --check

.PHONY: lock
lock: venv ## resolve requirements.txt anew (pinned and hashed)
	$(Q).venv/bin/uv pip compile --quiet pyproject.toml --all-extras --group dev --generate-hashes \
		--no-emit-index-url --no-header --python-version 3.11 --upgrade -o requirements.txt

##@ Measure
.PHONY: bench
bench: setup-test hugepages ## all benchmarks, as JSON into build/bench
	$(Q).venv/bin/popscope bench all

bench-%: setup-test hugepages ## one of them: bench-core, bench-maglev, bench-apply, bench-exporter, bench-ingest, bench-health, bench-controller, bench-changes
	$(Q).venv/bin/popscope bench $*

##@ Housekeeping
.PHONY: clean
clean: ## remove what was built (not .venv)
	$(Q)rm -rf build

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z%-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- what the targets stand on -------------------------------------------------------------------
.PHONY: venv
venv: .venv/.installed

.venv/.installed: requirements.txt pyproject.toml | build/.system-run
	$(Q)echo "installing the Python packages into .venv"
	$(Q)test -x .venv/bin/pip || /usr/bin/env python3 -m venv .venv
	$(Q).venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(Q).venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(Q)touch $@

build/.system-%: .ci/packages-%.txt .ci/packages-run.txt .ci/setup-system
	$(Q)mkdir -p build
	$(Q).ci/setup-system $(sort $(filter %.txt,$^))
	$(Q)touch $@

$(CORE)/build.ninja: | build/.system-run
	$(Q)echo "building the core"
	$(Q)meson setup --buildtype release $(CORE) lb >build/meson-core.log || { cat build/meson-core.log; false; }

$(FOREIGN)/build.ninja: | build/.system-run
	$(Q)echo "building the decoder of foreign metrics"
	$(Q)meson setup --buildtype release $(FOREIGN) pipeline/foreign >build/meson-foreign.log || { cat build/meson-foreign.log; false; }

build/asan/build.ninja: | build/.system-test
	$(Q)meson setup --buildtype debugoptimized -Db_sanitize=address,undefined -Db_lundef=false build/asan lb \
		>build/meson-asan.log || { cat build/meson-asan.log; false; }

build/fuzz/build.ninja: | build/.system-test
	$(Q)CC=clang meson setup --buildtype debugoptimized -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
		build/fuzz lb >build/meson-fuzz.log || { cat build/meson-fuzz.log; false; }

build/foreign-asan/build.ninja: | build/.system-test
	$(Q)meson setup --buildtype debugoptimized -Db_sanitize=address,undefined -Db_lundef=false build/foreign-asan \
		pipeline/foreign >build/meson-foreign-asan.log || { cat build/meson-foreign-asan.log; false; }
