# demo   one whole backup cycle, on two virtual machines with real ZFS
# test   everything that CI runs
# test-long  what `test` only samples: every fault and every kill of an archiver's life; hours
# test-qemu  all of the lab's tests on QEMU, with a distribution's kernel; SHARDS="nasty host" for some
# fuzz   random specs, outputs of programs and commands of a thief, for minutes; FUZZ=… times as many
# test-zfs  replication and restores with other versions of ZFS: those of Debian 12 and of its backports
# soak   an hour of a schedule among random faults; MINUTES=… for another time
# deny   advisories, licences and sources of all dependencies; builds cargo-deny if it is not there
# check  what needs no virtual machine: formatting, lints, unit, golden and Nix tests
# fmt    formats the sources
# bench  timings of the generator, bench-peers and bench-scale
# bench-peers  replication beside the tools that others use, into docs/benchmarks.md; ONLY="small data" for some
# bench-scale  seconds and memory for 1,000 to 20,000 datasets, into docs/benchmarks.md; needs no virtual machine
# bench-wake  how long a wake takes, and how often EC2 is asked
#
# Whatever is built or downloaded lies in DORMOUSE_CACHE, outside the checkout.

export DORMOUSE_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dormouse
export CARGO_TARGET_DIR ?= $(DORMOUSE_CACHE)/target
export DORMOUSE_BIN_DIR ?= $(CARGO_TARGET_DIR)/debug
# Installing openssh-server would start a server; the lab tests the same claims with one of its own.
export DORMOUSE_WITHOUT ?= $(if $(wildcard /usr/sbin/sshd),,sshd)
export PYTHONDONTWRITEBYTECODE = 1
# A rustup that the set-up installs is not on the PATH of this shell yet.
export PATH := $(HOME)/.cargo/bin:$(PATH)

VENV := $(DORMOUSE_CACHE)/venv
PYTHON := $(VENV)/bin/python
# The lab makes network namespaces, which only root may.
ROOT := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=PATH,DORMOUSE_CACHE,DORMOUSE_WITHOUT,DORMOUSE_BIN_DIR,DORMOUSE_LAB_BACKEND,DORMOUSE_LAB_SUITE,DORMOUSE_DEBIAN_MIRROR,PYTHONDONTWRITEBYTECODE)

.PHONY: demo demo-setup demo-guest demo-cycle test test-long test-qemu test-zfs fuzz fuzz-outputs fuzz-specs fuzz-commands soak deny check lint unit nix images lab fmt bench bench-peers bench-scale bench-wake setup build clean

demo:
	@PYTHON=$(PYTHON) MAKE=$(MAKE) checks/demo.sh

demo-setup: setup $(VENV)/ready

demo-guest: $(VENV)/ready
	$(ROOT) $(PYTHON) -m checks.lab install-one

demo-cycle: build $(VENV)/ready
	@$(ROOT) $(PYTHON) -m checks.lab demo

# The guests' images are made while the code is compiled.
test: setup $(VENV)/ready
	rm -f $(DORMOUSE_CACHE)/times
	checks/timed images $(MAKE) -o setup images & images=$$!; \
		checks/timed check $(MAKE) -o setup check; checked=$$?; wait $$images && exit $$checked
	checks/timed fuzz $(MAKE) fuzz
	checks/timed lab $(MAKE) lab
	@checks/timed --print

test-long: build $(VENV)/ready
	$(MAKE) fuzz FUZZ=25
	$(ROOT) env DORMOUSE_LAB_BACKEND=uml $(PYTHON) -m checks.lab test -m "long and not qemu"
	$(ROOT) env DORMOUSE_LAB_BACKEND=qemu $(PYTHON) -m checks.lab test -m "long and qemu"

test-qemu: build $(VENV)/ready
	for shard in $(or $(SHARDS),$$($(PYTHON) -m checks.lab.tests.shards)); do \
		checks/timed qemu-$$shard $(ROOT) env DORMOUSE_LAB_BACKEND=qemu $(PYTHON) -m checks.lab test \
			$$($(PYTHON) -m checks.lab.tests.shards $$shard) || exit; \
	done
	@checks/timed --print

FUZZ := 1
fuzz: setup
	+$(MAKE) -j3 -o setup fuzz-outputs fuzz-specs fuzz-commands

fuzz-outputs: setup
	DORMOUSE_CASES=$$((2000000 * $(FUZZ))) MAKEFLAGS= cargo test --workspace --locked --test fuzz

fuzz-specs: setup
	DORMOUSE_CASES=$$((2000 * $(FUZZ))) MAKEFLAGS= cargo test --workspace --locked --test property

fuzz-commands: setup
	DORMOUSE_CASES=$$((4000 * $(FUZZ))) MAKEFLAGS= cargo test --workspace --locked --test gate fuzzed

# What it is built of costs minutes for each release.
ZFS_TESTS := cut_after_bytes cycles follow_delete interruptions many_datasets nasty_conflicts nasty_encryption \
	nasty_limits nasty_moments nasty_sources nasty_tokens nothing_to_do restore verify
test-zfs: build $(VENV)/ready
	for suite in $(or $(SUITES),bookworm bookworm-backports); do \
		$(ROOT) env DORMOUSE_LAB_BACKEND=qemu DORMOUSE_LAB_SUITE=$$suite DORMOUSE_CACHE=$(DORMOUSE_CACHE)/$$suite \
			$(PYTHON) -m checks.lab test $(ZFS_TESTS:%=checks/lab/tests/test_%.py) || exit; \
	done

deny:
	cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny --locked
	cargo deny --all-features check

soak: build $(VENV)/ready
	$(ROOT) $(PYTHON) -m checks.lab soak --minutes $(or $(MINUTES),60)

check: lint
	+$(MAKE) -j2 -o setup unit nix

lint: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings

unit: setup
	MAKEFLAGS= cargo test --workspace --locked

nix: build
	checks/nix-checks.sh

images: $(VENV)/ready
	$(ROOT) $(PYTHON) -m checks.lab install

lab: build $(VENV)/ready
	$(ROOT) $(PYTHON) -m checks.lab suite

fmt: setup
	cargo fmt --all

bench: setup bench-peers bench-scale
	cargo bench --package dormouse-generator --locked

# What users get is the release build.
bench-peers: setup $(VENV)/ready
	cargo build --workspace --locked --release
	$(ROOT) env DORMOUSE_BIN_DIR=$(CARGO_TARGET_DIR)/release $(PYTHON) -m checks.lab.bench $(if $(ONLY),--only $(ONLY))

bench-scale: setup $(VENV)/ready
	cargo build --workspace --locked --release
	DORMOUSE_BIN_DIR=$(CARGO_TARGET_DIR)/release $(PYTHON) -m checks.lab.bench.scale

bench-wake: build $(VENV)/ready
	$(ROOT) $(PYTHON) -m checks.lab bench-wake

build: setup
	cargo build --workspace --locked

setup:
	@checks/setup.sh

$(VENV)/ready: checks/lab/requirements.txt | setup
	python3 -m venv --clear $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# Removes what was built, and nothing else; the lab's image is built anew afterwards.
clean:
	rm -rf $(CARGO_TARGET_DIR) $(VENV)
