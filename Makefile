# SPDX-License-Identifier: GPL-2.0-or-later
# A thin front for Meson and the scripts; `make` alone builds into build/.
BUILD = build
PREFIX = /usr/local

all:
	@scripts/build $(BUILD)

# installs the Debian packages that are missing, nothing else
deps:
	@scripts/deps

# the fast tests
check: deps
	@scripts/check fast

# clang, sanitizers, fuzzing, long boots
check-slow: deps
	@scripts/check slow

# a Debian guest moves from UML to KVM
demo: deps all
	@KMLN_BUILD=$(CURDIR)/$(BUILD) scripts/demo

# what works where: every pair of platforms and way to start, on real guests; a table
matrix: deps all
	@KMLN_BUILD=$(CURDIR)/$(BUILD) /usr/bin/python3 tests/matrix.py $(MATRIX)

# figures beside cp and, where installed, libguestfs
bench: deps all
	@KMLN_BUILD=$(CURDIR)/$(BUILD) bench/run
	@KMLN_BUILD=$(CURDIR)/$(BUILD) bench/uplink
	@KMLN_BUILD=$(CURDIR)/$(BUILD) bench/cluster

install:
	@PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) scripts/install $(BUILD)

format:
	@find src tests bench -name '*.[ch]' -exec clang-format -i {} +

clean:
	rm -rf build build-clang build-asan

.PHONY: all deps check check-slow demo matrix bench install format clean
