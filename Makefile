# Everything that is done with the project. `make demo` and `make test` are all that a new machine
# needs; `make help` lists the rest.

NAME := tenon
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# The part of the version that programs depend on: 0.MINOR before 1.0, then MAJOR.
ABI := $(shell echo $(VERSION) | awk -F. '{print $$1 == 0 ? $$1 "." $$2 : $$1}')

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=

CARGO ?= cargo
OUT := target/release
SO := $(OUT)/lib$(NAME).so
HEADERS := include/wasm.h include/wasi.h include/tenon.h

.PHONY: all help lib headers check check-format check-lints check-headers check-exports test \
  test-rust test-c spec demo bench guests install uninstall clean

all: lib $(OUT)/$(NAME).pc ## build the library, shared and static, and the command line

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

lib:
	$(CARGO) build --release
	ln -sf lib$(NAME).so $(SO).$(ABI)
