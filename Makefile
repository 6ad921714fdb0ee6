# SPDX-License-Identifier: MIT
# simplevpn.  "make" builds srv, cli and device; "make help" lists the rest.

PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?= -O2 -g
CLANG ?= clang
FUZZ_SECONDS ?= 20

# What is built goes to build/MODE.  asan, tsan and coverage add their flags;
# any other name is an ordinary build apart, such as MODE=clang CC=clang.
MODE ?= release
B := build/$(MODE)
BIN := $(if $(filter release,$(MODE)),.,$(B))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla
flags_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
flags_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
flags_coverage := -O0 --coverage -fprofile-update=atomic
HARDENING ?= $(if $(flags_$(MODE)),,-fstack-protector-strong \
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
BASE_CFLAGS := -std=c11 -D_GNU_SOURCE -I. -pthread $(WARNINGS)
ALL_CFLAGS = $(BASE_CFLAGS) $(HARDENING) -fPIE $(CFLAGS) $(flags_$(MODE)) \
	$(CPPFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(CFLAGS) \
	$(flags_$(MODE)) $(LDFLAGS)
CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null || echo -lcheck)

objects = $(patsubst %.c,$(B)/%.o,$(sort $(wildcard $(1))))
PROTO := $(call objects,proto/*.c)
SHARED := $(PROTO) $(call objects,common/*.c)
PROGRAMS := $(addprefix $(BIN)/,srv cli device)
TOOLS := $(addprefix $(B)/tests/tools/,raw baseserver)
E2E ?= $(sort $(wildcard tests/e2e/[0-9]*.sh))

# Each unit test and all the objects that it is linked with.
unit_addrpool := server/addrpool
unit_admission := server/admission
unit_cli_config := client/config common/options
unit_coalesce := common/coalesce common/segment proto/ippkt
unit_egress := server/egress server/drain common/flowq
unit_flowq := common/flowq proto/ippkt
unit_flow := tests/perf/flow tests/perf/perf
unit_forward := $(addprefix server/,forward egress drain route) \
	common/flowq common/segment common/coalesce proto/ippkt proto/frame
unit_frame := proto/frame
unit_ippkt := proto/ippkt
unit_join := $(addprefix server/,join egress drain route addrpool) \
	common/flowq proto/msg
unit_log := common/log
unit_msg := proto/msg
unit_netcfg := common/netcfg common/tun proto/ippkt
unit_options := common/options
unit_reconnect := client/reconnect
unit_route := server/route
unit_segment := common/segment proto/ippkt
unit_server_config := server/config common/options
unit_session := proto/session proto/msg proto/frame
unit_sock := common/sock
unit_stats := server/stats common/log
unit_tun := common/tun proto/ippkt
unit_vectors := proto/msg proto/frame

UNIT_LINES := $(sort $(patsubst unit_%,%,$(filter unit_%,$(.VARIABLES))))
UNITS ?= $(filter-out rule,$(UNIT_LINES))
UNIT_BINS := $(addprefix $(B)/tests/unit/test_,$(UNITS))
NO_LINE := $(filter-out $(UNIT_LINES),$(patsubst tests/unit/test_%.c,%,\
	$(wildcard tests/unit/test_*.c)))

FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZED := $(sort $(wildcard proto/*.c)) common/segment.c common/coalesce.c \
	common/flowq.c

TALLY ?= build/tally
RUN := tests/run.sh $(TALLY)
PROGRAM_PATHS := SRV=$(BIN)/srv CLI=$(BIN)/cli DEVICE=$(BIN)/device \
	RAW=$(B)/tests/tools/raw BASESERVER=$(B)/tests/tools/baseserver

# V=1 shows the commands.
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' $(1) $(2))

.PHONY: all srv cli device tests check unit e2e freestanding demo asan tsan
.PHONY: fuzz lint coverage install clean help needs
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)

help:
	@sed -n 's/^#: //p' Makefile

#: make               build ./srv, ./cli and ./device
#: make check         install what tests need (as root), then test everything
#: make demo          a hub, two clients and a device in network namespaces
#: make unit | e2e    one kind of test; UNITS="msg frame", E2E="tests/e2e/05*"
#: make asan | tsan   build with sanitizers into build/MODE, unit and e2e tests
#: make fuzz          each fuzz target for FUZZ_SECONDS (20)
#: make bench         compare with a relay and other VPNs, write docs/benchmarks.md;
#:                    PARTS="hub e2e peers congestion"
#: make lint          cppcheck, clang-tidy, shellcheck, the order of modules
#: make coverage      how many lines of each file the tests run
#: make install       to DESTDIR/PREFIX (/usr/local)
#: make clean         remove what was built
#: Variables: CC CFLAGS CPPFLAGS LDFLAGS MODE PREFIX DESTDIR V=1

ifneq ($(MODE),release)
srv cli device: %: $(B)/%
endif

$(BIN)/srv: $(call objects,server/*.c) $(SHARED)
$(BIN)/cli: $(call objects,client/*.c) $(SHARED)
$(BIN)/device: $(B)/proto/examples/device.o
$(TOOLS): %: %.o $(B)/tests/tools/packet.o
define unit_rule
$(B)/tests/unit/test_$(1): $(B)/tests/unit/test_$(1).o \
	$(patsubst %,$(B)/%.o,$(unit_$(1)))
endef
$(foreach unit,$(UNITS),$(eval $(call unit_rule,$(unit))))
$(UNIT_BINS): LIBS = $(CHECK_LIBS)

$(PROGRAMS) $(TOOLS) $(UNIT_BINS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lmnl

# The protocol's core has no libc under it; the example device does.
$(PROTO): FREESTANDING := -ffreestanding

$(B)/%.o: %.c | needs
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(FREESTANDING) -MMD -MP -c -o $@ $<

build/freestanding/%.o: %.c | needs
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -O2 -I. $(WARNINGS) -ffreestanding -MMD -MP -c -o $@ $<

build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZED) Makefile
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(BASE_CFLAGS) -g -O1 \
		-fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ $< $(FUZZED)

# Says at once, and by name, what a build on this machine would lack.
needs:
	@CC="$(CC)" tests/setup.sh --only-look build

tests: $(PROGRAMS) $(TOOLS) $(UNIT_BINS)

# Packages come first, and what depends on them is looked up only afterwards.
check:
	@CC="$(CC)" tests/setup.sh check
	@rm -f $(TALLY)
	@$(MAKE) --no-print-directory tests
	@status=0; \
	for part in freestanding unit e2e; do \
		$(MAKE) --no-print-directory $$part || status=1; \
	done; $(RUN) summary && exit $$status

unit: $(UNIT_BINS)
	$(if $(NO_LINE),$(error no line in the Makefile for test_$(NO_LINE)))
	@TOP=. $(RUN) unit $(UNIT_BINS)

e2e: $(PROGRAMS) $(TOOLS)
	@$(PROGRAM_PATHS) $(RUN) e2e $(E2E)

# All that proto/ may want from outside is mem*: see proto/frame.h.
freestanding: $(patsubst $(B)/%,build/freestanding/%,$(PROTO))
	@ld -r -o build/freestanding/proto.o $^
	@$(RUN) gate proto-needs-only-mem \
		sh -c '! nm -u build/freestanding/proto.o | \
			grep -vE " mem(cpy|set|move|cmp)$$"'

demo:
	@CC="$(CC)" tests/setup.sh demo
	@$(MAKE) --no-print-directory all
	@tests/demo.sh

asan tsan:
	@$(MAKE) --no-print-directory MODE=$@ tests
	@export LABEL=$@ WAIT_SCALE=3 CK_TIMEOUT_MULTIPLIER=10; status=0; \
	for part in unit e2e; do \
		$(MAKE) --no-print-directory MODE=$@ $$part || status=1; \
	done; exit $$status

fuzz: $(FUZZ)
	@status=0; for target in $(FUZZ); do \
		mkdir -p $$target.corpus; \
		GROUP=fuzz TEST_BOUND=$$(($(FUZZ_SECONDS) + 60)) $(RUN) gate \
			$${target##*/} $$target -max_total_time=$(FUZZ_SECONDS) \
			-timeout=10 -artifact_prefix=$$target. \
			$$target.corpus || status=1; \
	done; exit $$status

bench: $(BIN)/srv $(BIN)/cli
	@tests/perf/bench.sh setup
	@tests/perf/bench.sh $(PARTS)

lint:
	@$(RUN) gate lint tests/lint.sh

coverage:
	@$(MAKE) --no-print-directory MODE=coverage tests
	@find build/coverage -name '*.gcda' -delete
	@-$(MAKE) --no-print-directory MODE=coverage unit
	@-$(MAKE) --no-print-directory MODE=coverage e2e
	@tests/coverage.sh build/coverage

install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 srv cli $(DESTDIR)$(PREFIX)/bin
	for page in $(wildcard docs/man/*.[1-8]); do \
		dir=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; \
		install -d $$dir && install -m 644 $$page $$dir || exit 1; \
	done

clean:
	rm -rf build srv cli device

-include $(shell find build -name '*.d' 2>/dev/null)
