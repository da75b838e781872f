# SPDX-License-Identifier: GPL-3.0-or-later
#
# Outrider's build. `make help` lists what can be made.
#
#   BUILD=release|asan|tsan     how objects are compiled (asan includes UBSan); each has its own build/ folder
#   STATIC=1                    link everything statically, libc included
#   CROSS=aarch64-linux-gnu-    compile for another architecture, with the tools of that prefix (Debian: arm64)
#   PREFIX, DESTDIR             where `make install` puts things
#
# A source file is found by standing in a room (see DIRS); a unit test by being tests/unit/test_*.c, a fuzz
# target by being tests/fuzz/fuzz_*.c, an end-to-end test by being tests/e2e/*.bats.

BUILD ?= release
STATIC ?= 0
PREFIX ?= /usr/local
DESTDIR ?=
V ?= 0
CLANG ?= clang
CROSS ?=
ifneq ($(CROSS),)
CC := $(CROSS)gcc
AR := $(CROSS)ar
endif
export CROSS

VERSION := 0.1.0
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
OUT := build/$(BUILD)$(if $(filter 1,$(STATIC)),-static)$(if $(CROSS),-$(patsubst %-,%,$(CROSS)))
DIRS := config certrotate sidecar/rules sidecar/http sidecar/tls sidecar/net sidecar/proxy sidecar/admin sidecar

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@true,@printf '  %-6s %s\n' $(1) $(2))

# --- prerequisites -----------------------------------------------------------------------------------------
# deps.mk names wolfSSL's install folder; making it installs packages and builds wolfSSL where they are missing.
DEPS := build/$(CROSS)deps.mk
ifeq ($(filter clean distclean help format,$(MAKECMDGOALS)),)
-include $(DEPS)
endif
LLHTTP := /usr/share/llhttp

# --- flags -------------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings
WERROR ?= -Werror
CPPFLAGS := -D_GNU_SOURCE -DOUTRIDER_VERSION='"$(VERSION)"' -I. -isystem $(WOLFSSL)/include -isystem /usr/include/llhttp \
            -isystem /usr/share/include/llhttp -DWOLFSSL_USE_OPTIONS_H
HARDEN := -fPIE -fstack-protector-strong $(shell $(CC) -fcf-protection=full -x c -c /dev/null -o /dev/null 2>/dev/null && echo -fcf-protection=full)
CFLAGS_release := -O2 -g -fno-asynchronous-unwind-tables -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 $(HARDEN) -ffunction-sections -fdata-sections
# Two warnings that gcc's analysis gets wrong in instrumented code; the release build has them.
SANITIZED := -O1 -g -fno-omit-frame-pointer -Wno-format-truncation -Wno-maybe-uninitialized
CFLAGS_asan := $(SANITIZED) -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_tsan := $(SANITIZED) -fsanitize=thread
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
CFLAGS += -std=gnu11 $(CFLAGS_$(BUILD)) $(WARN) $(WERROR) -MMD -MP
LDFLAGS += $(LDFLAGS_$(BUILD))
ifeq ($(BUILD),fuzz)
CC := $(CLANG)
endif
ifeq ($(STATIC),1)
# glibc's warnings on its resolver: names go by c-ares, which needs nothing of that (tests/e2e/static.bats proves it).
# Relocations packed: 50 KB less.
LDFLAGS := $(patsubst -pie,-static-pie,$(LDFLAGS)) $(shell $(CC) -Wl,-z,pack-relative-relocs -shared -o /dev/null -x c /dev/null 2>&1 | grep -q . || echo -Wl,-z,pack-relative-relocs) $(shell $(CC) -Wl,--no-warnings -shared -o /dev/null -x c /dev/null 2>/dev/null && echo -Wl,--no-warnings)
endif

LIBDIR := /usr/lib/$(MULTIARCH)
LIBS := $(WOLFSSL)/lib/libwolfssl.a $(LIBDIR)/libuv_a.a $(LIBDIR)/libinih.a $(LIBDIR)/libcares.a -lpthread -ldl
# What tests compare our HPACK with.
NGHTTP2 := $(LIBDIR)/libnghttp2.a

# --- files -------------------------------------------------------------------------------------------------
SRC := $(foreach d,$(DIRS),$(wildcard $(d)/*.c))
MAIN := sidecar/main.c
LIBOBJ := $(patsubst %.c,$(OUT)/%.o,$(filter-out $(MAIN),$(SRC))) $(patsubst %,$(OUT)/llhttp/%.o,api http llhttp)
LIBOBJ += $(OUT)/sidecar/admin/page_data.o
LIB := $(OUT)/liboutrider.a
BIN := $(OUT)/bin/sidecar

UNIT := $(patsubst tests/unit/%.c,$(OUT)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS := $(patsubst tests/tools/%.c,$(OUT)/tools/%,$(wildcard tests/tools/*.c))

.PHONY: all deps test test-unit test-fuzz test-e2e test-san test-tsan test-long test-arm64 check bench bench-guard demo image oci oci-pack test-kind install clean distclean \
        help format asan tsan tools fuzz-build FORCE
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BIN) $(OUT)/bin/certrotate

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile
	@echo "targets: all deps test test-unit test-fuzz test-e2e test-san test-tsan test-long test-arm64 check test-kind bench bench-guard demo image oci install clean"

deps: $(DEPS)

$(DEPS): deploy/deps/packages.sh deploy/deps/wolfssl.sh deploy/deps/wolfssl.options
	@mkdir -p build
	@deploy/deps/packages.sh build
	@prefix=$$(CC=$(CC) deploy/deps/wolfssl.sh) && echo "WOLFSSL := $$prefix" > $@.tmp && mv $@.tmp $@

# What is asked seldom (commands, configuration, what the main thread tells) is compiled for size: nothing that a
# byte of traffic passes through, and nothing that counts or logs it.
COLD := $(wildcard config/*.c sidecar/*.c sidecar/proxy/tell*.c sidecar/proxy/policy_lists.c sidecar/proxy/reload.c \
        $(filter-out %/ledger.c %/log.c,$(wildcard sidecar/admin/*.c)) \
        sidecar/rules/parse*.c sidecar/rules/lexer.c sidecar/rules/print.c sidecar/rules/warn.c \
        certrotate/cmd*.c certrotate/ca*.c certrotate/show.c certrotate/mint.c certrotate/policy.c certrotate/journal.c)
ifeq ($(BUILD),release)
$(COLD:%.c=$(OUT)/%.o): CFLAGS += -Os
endif

# --- compile and link --------------------------------------------------------------------------------------
$(OUT)/%.o: %.c $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(OUT)/llhttp/%.o: $(LLHTTP)/%.c $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC,llhttp/$*.c)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -c -o $@ $<

$(OUT)/sidecar/admin/page_data.c: sidecar/admin/page.html sidecar/admin/page.sh
	@mkdir -p $(@D)
	$(call say,PAGE,$<)
	$(Q)sidecar/admin/page.sh $< >$@

$(OUT)/sidecar/admin/page_data.o: $(OUT)/sidecar/admin/page_data.c $(DEPS)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(LIB): $(LIBOBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BIN): $(OUT)/sidecar/main.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OUT)/bin/certrotate: $(BIN)
	$(Q)ln -sf sidecar $@

asan tsan:
	@$(MAKE) --no-print-directory BUILD=$@ all

# --- unit tests: every room but the edges, linked without a socket ------------------------------------------
$(OUT)/tests/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) -Wno-conversion -MF $@.d $(LDFLAGS) -o $@ $< $(LIB) -lcmocka $(NGHTTP2) $(LIBS)

$(OUT)/tools/%: tests/tools/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,TOOL,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-conversion -MF $@.d $(LDFLAGS) -o $@ $< $(LIB) $(LIBS)

tools: $(TOOLS)

test-unit: $(UNIT)
	@tests/run-unit.sh $(UNIT)

# --- fuzzing: a short run of every target over its corpus; test-long gives each minutes ----------------------
ifeq ($(BUILD),fuzz)
build/fuzz/tests/%: tests/fuzz/%.c build/fuzz/liboutrider.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$*)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-conversion -MF $@.d $(LDFLAGS) -o $@ $< build/fuzz/liboutrider.a $(NGHTTP2) $(LIBS)
else
build/fuzz/tests/%: FORCE
	@$(MAKE) --no-print-directory BUILD=fuzz $@
endif
FORCE:

FUZZ_SECONDS ?= 10
test-fuzz:
	@$(MAKE) --no-print-directory BUILD=fuzz fuzz-build
	@tests/run-fuzz.sh $(FUZZ_SECONDS) $(FUZZ)

fuzz-build: $(FUZZ)

test-e2e: all tools
	@tests/run-e2e.sh $(OUT)/bin $(OUT)/tools

test-san:
	@$(MAKE) --no-print-directory BUILD=asan test-unit test-e2e
	@$(MAKE) --no-print-directory BUILD=tsan test-tsan

test-tsan: all tools
	@tests/run-e2e.sh $(OUT)/bin $(OUT)/tools --threads

test:
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-e2e
	@$(MAKE) --no-print-directory test-fuzz
	@$(MAKE) --no-print-directory test-san

test-long: all
	@$(MAKE) --no-print-directory test-fuzz FUZZ_SECONDS=600
	@OUTRIDER_LONG=1 $(MAKE) --no-print-directory test-e2e
	@$(MAKE) --no-print-directory test-arm64

# Under emulation, on any machine.
test-arm64:
	@env -u MAKEFLAGS -u MAKEOVERRIDES tests/run-arm64.sh

# On a kind cluster, or another: tests/kind/run.sh says how, and what is missing here.
test-kind: all
	@tests/kind/run.sh

check: $(DEPS)
	@CPPFLAGS='$(subst ',,$(CPPFLAGS))' tests/check/check.sh

# Of the static binary, which images hold. BENCH_PUBLISH=1 puts what it finds into the README.
bench: tools oci
	@BENCH_PUBLISH='$(BENCH_PUBLISH)' tests/bench/run.sh build/release-static/bin $(OUT)/tools build/image/outrider-oci.tar

# Instructions, allocations and system calls of an exchange beside those recorded; GUARD=--record writes them anew.
GUARD ?=
bench-guard: all
	@tests/bench/guard.sh $(OUT)/bin $(GUARD)

demo: all
	@deploy/demo/demo.sh $(OUT)/bin

# By deploy/Dockerfile and buildah; `oci` packs the same from this tree's own static binary, with tar alone.
image:
	@deploy/image/image.sh $(CURDIR)/build/image/outrider.tar outrider:$(VERSION)

oci:
	@$(MAKE) --no-print-directory STATIC=1 BUILD=release oci-pack

oci-pack: all
	@STRIP=$(CROSS)strip VERSION=$(VERSION) ARCH=$(firstword $(subst -, ,$(or $(MULTIARCH),$(shell uname -m)))) deploy/image/oci.sh \
	    $(BIN) build/image/outrider-oci$(if $(CROSS),-$(firstword $(subst -, ,$(CROSS)))).tar outrider:$(VERSION)

format:
	clang-format -i $(SRC) $(foreach d,$(DIRS),$(wildcard $(d)/*.h)) $(wildcard tests/*/*.c tests/*/*.h)

$(OUT)/man/sidecar.1: deploy/man/man.sh deploy/man/markdown.awk config/reference.md $(BIN) $(OUT)/bin/certrotate
	$(Q)deploy/man/man.sh $(OUT)/bin $(OUT)/man

UNITDIR ?= $(PREFIX)/lib/systemd/system
install: all $(OUT)/man/sidecar.1
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(UNITDIR)
	install -s -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin/sidecar
	ln -sf sidecar $(DESTDIR)$(PREFIX)/bin/certrotate
	install -m 0644 $(OUT)/man/sidecar.1 $(OUT)/man/certrotate.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 0644 $(OUT)/man/outrider.ini.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	sed 's|@PREFIX@|$(PREFIX)|' deploy/systemd/outrider.service >$(DESTDIR)$(UNITDIR)/outrider.service

clean:
	rm -rf build

-include $(LIBOBJ:.o=.d) $(UNIT:=.d) $(TOOLS:=.d) $(if $(filter fuzz,$(BUILD)),$(FUZZ:=.d)) $(OUT)/sidecar/main.d
