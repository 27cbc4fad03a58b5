# The commands of README.md; CMake does the work (CMakePresets.json).
#
#   make          the release build, in build/bin
#   make run      from nothing to the running product
#   make stop     finishes what is open, unmounts and ends it
#   make test     from a bare Debian 12 to every test passed
#   make test-all every test in every preset, and clang-tidy
#   make soak     the long random tests
#   make bench    prints figures, as ratios to something measured in the same run; five minutes
#   make bench-store  the store against restic, borg, git, ostree and btrfs, which it installs (docs/performance.md)
#   make bench-cli    what commands cost, and files at the command line, against the store itself, cp and restic
#   make bench-trigger  what pipelines cost, from a HEAD that moves to a finished output commit; needs podman
#   make bench-history  the space of long histories of small commits, and of versions of files
#   make bench-full   the store in full sizes, the mount, commands and files; most of an hour
#   make install  to $(PREFIX), under $(DESTDIR) if that is set

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
# tests wait more than they compute
TEST_JOBS ?= $(shell echo $$(( $(JOBS) + ($(JOBS) + 1) / 2 )))
STORE_BENCH = bench/store/store_bench.py --rows-program build/release/bench/store_rows

.PHONY: release test test-all test-dev test-asan test-tsan test-clang tidy soak bench bench-store bench-cli bench-trigger bench-history bench-full store_rows run stop install clean

release:
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS)

test:
	@scripts/install-deps.sh
	@$(MAKE) --no-print-directory test-dev test-asan test-tsan

# dev has line numbers and no more; for a debugger: cmake --preset dev -DCMAKE_CXX_FLAGS_DEBUG=-g
test-dev test-asan test-tsan test-clang: test-%:
	@cmake --preset $* >build/$*.configure.log 2>&1 || { cat build/$*.configure.log; exit 1; }
	@cmake --build --preset $* -j $(JOBS)
	@ctest --preset $* -j $(TEST_JOBS)

test-all:
	@scripts/install-deps.sh
	@$(MAKE) --no-print-directory test-dev test-asan test-tsan test-clang tidy

# Our own sources only, not the generated ones. The checks of what is written see ten files at once, which share their
# headers: a tenth of the time. The analyzer only follows the functions of a unit's main file, so that it sees each by itself.
tidy:
	@cmake --preset clang >build/clang.configure.log 2>&1 || { cat build/clang.configure.log; exit 1; }
	@cmake --preset tidy >build/tidy.configure.log 2>&1 || { cat build/tidy.configure.log; exit 1; }
	@cmake --build --preset tidy -j $(JOBS)
	@run-clang-tidy -quiet -j $(JOBS) -p build/tidy -checks='-clang-analyzer-*,-bugprone-suspicious-include' \
	  '$(CURDIR)/build/tidy/(src|mount-helper)/(?!.*pfs_api_proto).*/Unity/.*' '$(CURDIR)/(src|mount-helper)/.*'
	@cmake --preset analyze >build/analyze.configure.log 2>&1 || { cat build/analyze.configure.log; exit 1; }
	@cmake --build --preset analyze -j $(JOBS)
	@run-clang-tidy -quiet -j $(JOBS) -p build/analyze -checks='-*,clang-analyzer-*' '$(CURDIR)/(src|mount-helper)/.*'

soak:
	@scripts/install-deps.sh
	@cmake --preset dev
	@cmake --build --preset dev -j $(JOBS)
	@ctest --preset soak

# The peers that are installed, in small sizes, and the mount.
bench: store_rows
	@command -v python3 >/dev/null || { . scripts/packages.sh && install_missing bench python3; }
	@$(STORE_BENCH) --quick $(BENCH_ARGS)
	@bench/mount_bench.sh $(CURDIR)/build/bin
	@bench/mount_latencies.py $(CURDIR)/build/bin

bench-store: store_rows
	@bench/store/install-peers.sh
	@$(STORE_BENCH) --results build/bench-store.md $(BENCH_ARGS)

bench-cli: store_rows
	@bench/cli_bench.sh $(CURDIR)/build/bin
	@bench/cli/files.sh $(CURDIR)/build/bin build/release/bench/store_rows

bench-trigger: release
	@bench/trigger_bench.sh $(CURDIR)/build/bin $(BENCH_SCALE)

bench-history: release
	@cmake --build --preset release -j $(JOBS) --target bench_history bench_space
	@build/release/bench/bench_history
	@build/release/bench/bench_space

bench-full: bench-store
	@bench/mount_bench.sh $(CURDIR)/build/bin
	@bench/mount_latencies.py $(CURDIR)/build/bin
	@$(MAKE) --no-print-directory bench-cli

store_rows: release
	@cmake --build --preset release -j $(JOBS) --target store_rows

run:
	@scripts/run.sh

stop:
	@scripts/run.sh --stop

install:
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@cmake --build --preset release -j $(JOBS)
	@DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build

test-dev test-asan test-tsan test-clang tidy: | build
build:
	@mkdir -p build
