# SPDX-License-Identifier: MIT
# simplevpn.  "make" builds srv, cli and device; "make help" lists the rest.

PREFIX ?= /usr/local
DESTDIR ?=
# srv and cli are too common as names of a system's programs.
PROGRAM_PREFIX ?= simplevpn-
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
DATADIR ?= $(PREFIX)/share
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
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
TOOLS := $(addprefix $(B)/tests/tools/,raw baseserver nameserver hashed hostile)
SHIM := $(B)/tests/faults/shim.so
E2E ?= $(sort $(wildcard tests/e2e/[0-9]*.sh))

# Each unit test and all the objects that it is linked with; common/log brings
# common/log_line along.
unit_addrpool := server/addrpool
unit_admission := server/admission
OPTIONS := $(addprefix common/,options options_address options_file \
	options_list)
unit_cli_config := $(addprefix client/,config servers words) $(OPTIONS)
# The server on a kernel in miniature: tests/fuzz/fake_io.h.
unit_client := $(addprefix fake/,$(addprefix server/,client join push forward \
	close_reason egress drain route addrpool registry admission stats) \
	common/flowq \
	common/sock common/coalesce common/segment tests/fuzz/fake_io) \
	common/log proto/frame proto/ippkt proto/msg
unit_coalesce := common/coalesce common/segment proto/ippkt
unit_control := common/control common/control_ask common/log
unit_dnsfile := client/dnsfile
unit_dnsmsg := client/dnsmsg
unit_egress := server/egress server/drain common/flowq proto/frame
unit_facts := client/facts
unit_flowq := common/flowq proto/ippkt
unit_flow := tests/perf/flow tests/perf/perf
unit_forward := $(addprefix server/,forward egress drain route) \
	common/flowq common/segment common/coalesce proto/ippkt proto/frame
unit_frame := proto/frame
unit_history := server/history
unit_html := server/html common/human
unit_human := common/human
unit_ippkt := proto/ippkt
unit_hooks := $(addprefix client/,hooks facts words) $(OPTIONS) \
	common/subprocess common/log
unit_join := $(addprefix server/,join push egress drain route addrpool) \
	common/flowq proto/msg proto/frame
unit_log := common/log
unit_msg := proto/msg
unit_netcfg := common/netcfg common/tun proto/ippkt
unit_notify := common/notify common/options
unit_options := $(OPTIONS)
unit_plot := server/plot server/history common/human
unit_privilege := common/privilege
unit_pump := $(addprefix client/,pump backlog counters signals) common/flowq \
	common/coalesce common/segment common/tun common/log common/notify \
	common/options proto/frame proto/ippkt proto/session proto/msg
unit_push := $(addprefix server/,push egress drain) common/flowq proto/msg \
	proto/session proto/frame
unit_pushed := client/pushed $(OPTIONS)
unit_reconnect := client/reconnect
unit_registry := server/registry server/stats common/log
unit_route := server/route
unit_segment := common/segment proto/ippkt
unit_server_config := server/config $(OPTIONS)
unit_servers := client/servers $(OPTIONS)
unit_session := proto/session proto/msg proto/frame
unit_sock := common/sock
unit_stats := server/stats common/log
unit_status := $(addprefix client/,status status_print facts counters \
	commands) $(addprefix common/,control control_ask json human log) \
	$(OPTIONS)
unit_status_page := $(addprefix server/,status_page status_clients html \
	plot history stats admission close_reason) common/human common/log
unit_subprocess := common/subprocess
unit_tun := common/tun proto/ippkt
unit_vectors := proto/msg proto/frame
unit_words := client/words $(OPTIONS)

UNIT_LINES := $(sort $(patsubst unit_%,%,$(filter unit_%,$(.VARIABLES))))
# Nothing runs in parallel on the kernel that test_client brings along.
not_tsan := $(if $(filter tsan,$(MODE)),client)
UNITS ?= $(filter-out rule $(not_tsan),$(UNIT_LINES))
UNIT_BINS := $(addprefix $(B)/tests/unit/test_,$(UNITS))
NO_LINE := $(filter-out $(UNIT_LINES),$(patsubst tests/unit/test_%.c,%,\
	$(wildcard tests/unit/test_*.c)))

# Fuzz targets: sources and flags that one has beyond what all have.
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard \
	tests/fuzz/fuzz_*.c)))
FUZZ ?= $(FUZZ_NAMES)
FUZZED := $(sort $(wildcard proto/*.c)) common/segment.c common/coalesce.c \
	common/flowq.c
FUZZ_INPUTS := $(FUZZED) $(wildcard server/*.[ch] common/*.[ch] proto/*.h \
	tests/fuzz/*.[ch]) Makefile
sources_fuzz_options := server/config.c $(OPTIONS:=.c)
sources_fuzz_server := tests/fuzz/fake_io.c $(patsubst %,server/%.c,accept \
	addrpool admission close_reason drain egress forward gateway join push \
	registry route \
	stats)
flags_fake := -DFAKE_IO -include tests/fuzz/fake_io.h
flags_fuzz_server := $(flags_fake) -Wl,--wrap=egress_control
coverage_fuzz_server := -fno-sanitize-coverage=trace-cmp
options_fuzz_server := -max_len=200
options_fuzz_options := -dict=tests/fuzz/fuzz_options.dict

TALLY ?= build/tally
RUN := tests/run.sh $(TALLY)
PROGRAM_PATHS := SRV=$(BIN)/srv CLI=$(BIN)/cli DEVICE=$(BIN)/device \
	RAW=$(B)/tests/tools/raw BASESERVER=$(B)/tests/tools/baseserver \
	NAMESERVER=$(B)/tests/tools/nameserver

# V=1 shows the commands.
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' $(1) $(2))

.PHONY: all tests check unit e2e freestanding demo asan tsan
.PHONY: fuzz fuzz-keep fuzz-replay mutate lint coverage clean help needs
.PHONY: install uninstall deb
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
#: make fuzz          each fuzz target for FUZZ_SECONDS (20); FUZZ="fuzz_msg"
#: make fuzz-replay   run them over the inputs in tests/fuzz/corpus
#: make fuzz-keep     add what make fuzz found to tests/fuzz/corpus
#: make mutate        take each security check out: does its test notice?
#: make bench         compare with a relay and other VPNs, write docs/benchmarks.md;
#:                    PARTS="hub e2e peers congestion"
#: make scale         15,000 clients at once, measured; writes docs/scale.md
#: make churn         64 clients at random, CHURN_SECONDS (600), sanitizers
#: make soak          SOAK_SECONDS (3600) with hostile clients, memory flat
#: make lint          cppcheck, clang-tidy, shellcheck, the order of modules
#: make coverage      how many lines of each file the tests run
#: make install       to DESTDIR/PREFIX (/usr/local), as simplevpn-srv and
#:                    simplevpn-cli (PROGRAM_PREFIX); make uninstall
#: make deb           a Debian package, in build/deb
#: make clean         remove what was built
#: Variables: CC CFLAGS CPPFLAGS LDFLAGS MODE PREFIX DESTDIR V=1

ifneq ($(MODE),release)
.PHONY: srv cli device
srv cli device: %: $(B)/%
endif

$(BIN)/srv: $(call objects,server/*.c) $(SHARED)
$(BIN)/srv: LIBS = -lmicrohttpd
$(BIN)/cli: $(call objects,client/*.c) $(SHARED)
$(BIN)/device: $(B)/proto/examples/device.o
$(TOOLS): %: %.o $(B)/tests/tools/packet.o
define unit_rule
$(B)/tests/unit/test_$(1): $(B)/tests/unit/test_$(1).o \
	$(patsubst %,$(B)/%.o,$(unit_$(1)) \
	$(if $(filter common/log,$(unit_$(1))),common/log_line))
endef
$(foreach unit,$(UNITS),$(eval $(call unit_rule,$(unit))))
$(UNIT_BINS): LIBS = $(CHECK_LIBS)

$(PROGRAMS) $(TOOLS) $(UNIT_BINS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lmnl

# Loaded in front of a program, so no part of it and not sanitized with it.
$(SHIM): tests/faults/shim.c | needs
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) -fPIC -shared -o $@ $<

# The protocol's core has no libc under it; the example device does.
$(PROTO): FREESTANDING := -ffreestanding

$(B)/%.o: %.c | needs
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(FREESTANDING) -MMD -MP -c -o $@ $<

$(B)/fake/%.o: %.c | needs
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(flags_fake) -MMD -MP -c -o $@ $<

build/freestanding/%.o: %.c | needs
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -O2 -I. $(WARNINGS) -ffreestanding -MMD -MP -c -o $@ $<

fuzz_compile = $(BASE_CFLAGS) $(flags_$(@F)) -g \
	-fno-sanitize-recover=all -o $@ $< $(FUZZED) $(sources_$(@F))

build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_INPUTS)
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)$(CLANG) -O2 -fsanitize=fuzzer,address,undefined \
		$(coverage_$(@F)) $(fuzz_compile)

# The same without libFuzzer, for inputs that are kept.
build/replay/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_INPUTS)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) -O1 -fsanitize=address,undefined $(fuzz_compile) \
		tests/fuzz/replay.c

# Says at once, and by name, what a build on this machine would lack.
needs:
	@CC="$(CC)" tests/setup.sh --only-look build

tests: $(PROGRAMS) $(TOOLS) $(SHIM) $(UNIT_BINS)

# Packages come first, and what depends on them is looked up only afterwards.
check:
	@CC="$(CC)" tests/setup.sh check
	@rm -f $(TALLY)
	@$(MAKE) --no-print-directory tests
	@status=0; \
	for part in freestanding unit fuzz-replay e2e; do \
		$(MAKE) --no-print-directory $$part || status=1; \
	done; $(RUN) summary && exit $$status

unit: $(UNIT_BINS)
	$(if $(NO_LINE),$(error no line in the Makefile for test_$(NO_LINE)))
	@TOP=. $(RUN) unit $(UNIT_BINS)

e2e: $(PROGRAMS) $(TOOLS) $(SHIM)
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

# libFuzzer ends with 77 for what it finds, which run.sh takes for skipped.
# What is found goes to build/fuzz; fuzz-keep keeps the inputs that matter.
fuzz: $(addprefix build/fuzz/,$(FUZZ))
	@status=0; $(foreach target,$(FUZZ), \
		mkdir -p build/fuzz/$(target).corpus; \
		GROUP=fuzz TEST_BOUND=$$(($(FUZZ_SECONDS) + 60)) $(RUN) gate \
			$(target) build/fuzz/$(target) \
			-error_exitcode=1 \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 \
			-artifact_prefix=build/fuzz/$(target). \
			$(options_$(target)) build/fuzz/$(target).corpus \
			$(wildcard tests/fuzz/corpus/$(target)) || status=1;) \
	exit $$status

fuzz-keep: $(addprefix build/fuzz/,$(FUZZ))
	@$(foreach target,$(FUZZ), \
		kept=tests/fuzz/corpus/$(target); \
		rm -rf build/fuzz/$(target).kept; \
		mkdir -p build/fuzz/$(target).kept build/fuzz/$(target).corpus \
			$$kept; \
		build/fuzz/$(target) -merge=1 $(options_$(target)) \
			build/fuzz/$(target).kept build/fuzz/$(target).corpus \
			$$kept 2>&1 | tail -1 && rm -rf $$kept && \
		mv build/fuzz/$(target).kept $$kept;)

fuzz-replay: $(addprefix build/replay/,$(FUZZ))
	@status=0; $(foreach target,$(FUZZ), \
		GROUP="kept inputs" $(RUN) gate $(target) \
			build/replay/$(target) tests/fuzz/corpus/$(target) || \
			status=1;) \
	exit $$status

# --- many clients, for long: not part of check ---

SCALE_TOOLS := $(addprefix $(B)/tests/scale/,crowd hostile)
SCALE := nice tests/scale

$(B)/tests/scale/crowd: $(PROTO) $(B)/client/reconnect.o \
	$(addprefix $(B)/tests/scale/,peer.o ledger.o stamp.o traffic.o \
	churn.o storm.o)
$(B)/tests/scale/hostile: $(B)/tests/tools/packet.o
$(SCALE_TOOLS): %: %.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

.PHONY: scale churn soak
scale churn soak: export SRV = $(BIN)/srv
scale churn soak: export CROWD = $(B)/tests/scale/crowd
scale churn soak: export HOSTILE = $(B)/tests/scale/hostile

scale: $(BIN)/srv $(SCALE_TOOLS)
	@$(SCALE)/scale.sh docs/scale.md

churn: $(BIN)/srv $(SCALE_TOOLS)
	@$(MAKE) --no-print-directory MODE=asan build/asan/srv
	@$(MAKE) --no-print-directory MODE=tsan build/tsan/srv
	@$(SCALE)/churn.sh build/tsan/srv build/asan/srv $(BIN)/srv

soak: $(BIN)/srv $(SCALE_TOOLS)
	@$(SCALE)/soak.sh

.PHONY: bench
bench: $(BIN)/srv $(BIN)/cli
	@tests/perf/bench.sh setup
	@tests/perf/bench.sh $(PARTS)

mutate:
	@tests/mutate.sh

# 85 s where nothing else runs.
lint:
	@TEST_BOUND=$${TEST_BOUND:-600} $(RUN) gate lint tests/lint.sh

coverage:
	@$(MAKE) --no-print-directory MODE=coverage tests
	@find build/coverage -name '*.gcda' -delete
	@-$(MAKE) --no-print-directory MODE=coverage unit
	@-$(MAKE) --no-print-directory MODE=coverage e2e
	@tests/coverage.sh build/coverage

# --- installation ---

# What is installed beside the programs is made in build/install: names and
# paths are filled in, completions and examples come from the programs' tables.
STAGE := build/install
STAGED := $(addprefix $(STAGE)/,simplevpn-srv.service simplevpn-cli@.service \
	srv.bash cli.bash srv.zsh cli.zsh srv.conf cli.conf \
	$(patsubst docs/%,%,$(wildcard docs/man/*.[1-8])))
installed_name = $(patsubst $(PROGRAM_PREFIX)simplevpn-%,simplevpn-%,\
	$(PROGRAM_PREFIX)$(notdir $(1)))

# MODE:SOURCE:TARGET, all that "make install" makes and "make uninstall"
# removes.
INSTALLED = 755:$(BIN)/srv:$(SBINDIR)/$(PROGRAM_PREFIX)srv \
	755:$(BIN)/cli:$(BINDIR)/$(PROGRAM_PREFIX)cli \
	$(foreach unit,simplevpn-srv.service simplevpn-cli@.service,\
		644:$(STAGE)/$(unit):$(UNITDIR)/$(unit)) \
	644:server/systemd/sysusers.conf:$(SYSUSERSDIR)/simplevpn.conf \
	644:server/systemd/tmpfiles.conf:$(TMPFILESDIR)/simplevpn.conf \
	$(foreach program,srv cli,\
		644:$(STAGE)/$(program).bash:$(addprefix \
		$(DATADIR)/bash-completion/completions/$(PROGRAM_PREFIX),\
		$(program)) \
		644:$(STAGE)/$(program).zsh:$(addprefix \
		$(DATADIR)/zsh/site-functions/_$(PROGRAM_PREFIX),$(program)) \
		644:$(STAGE)/$(program).conf:$(addprefix \
		$(DATADIR)/doc/simplevpn/examples/,$(program).conf)) \
	$(foreach page,$(filter $(STAGE)/man/%,$(STAGED)),\
		644:$(page):$(addprefix \
		$(DATADIR)/man/man$(subst .,,$(suffix $(page)))/,\
		$(call installed_name,$(page)))) \
	$(foreach file,$(wildcard docs/*.md docs/*.svg docs/*.json README.md),\
		644:$(file):$(DATADIR)/doc/simplevpn/$(notdir $(file))) \
	$(foreach file,$(wildcard docs/wireshark/*.lua),\
		644:$(file):$(DATADIR)/simplevpn/wireshark/$(notdir $(file)))

OWN_DIRECTORIES = $(addprefix $(DATADIR)/,doc/simplevpn/examples \
	doc/simplevpn simplevpn/wireshark simplevpn)

define make_completion
	@mkdir -p $(@D)
	$(Q)$(BIN)/$* --help | common/completion.sh $(subst .,,$(suffix $@)) \
		$(PROGRAM_PREFIX)$(basename $(@F)) >$@
endef

# Filled in anew each time: the paths may be others than the last time.
.PHONY: anew
$(STAGE)/%.service: anew
	@mkdir -p $(@D)
	$(Q)sed -e 's,@SBINDIR@,$(SBINDIR),g; s,@BINDIR@,$(BINDIR),g' \
		-e 's,@PROGRAM_PREFIX@,$(PROGRAM_PREFIX),g' \
		$(wildcard */systemd/$(@F).in) >$@

# The pages name the programs as they are installed.
$(STAGE)/man/%: docs/man/% anew
	@mkdir -p $(@D)
	$(Q)sed -E -e 's/^(\.Dt )(SRV|CLI)/\1\U$(PROGRAM_PREFIX)\2/' \
		-e 's/^(\.Nm |\.Xr )(srv|cli)\>/\1$(PROGRAM_PREFIX)\2/' \
		-e '/^\.Dl/s/(^|[^[:alnum:].\/-])(srv|cli)($$|[^[:alnum:].-])/\1$(PROGRAM_PREFIX)\2\3/g' \
		$< >$@

$(STAGE)/%.bash: $(BIN)/% anew
	$(make_completion)

$(STAGE)/%.zsh: $(BIN)/% anew
	$(make_completion)

$(STAGE)/%.conf: $(BIN)/% anew
	@mkdir -p $(@D)
	$(Q)$(BIN)/$* --print-default-config >$@

install: $(BIN)/srv $(BIN)/cli $(STAGED)
	@for entry in $(INSTALLED); do \
		mode=$${entry%%:*} target=$(DESTDIR)$${entry##*:}; \
		source=$${entry#*:} && source=$${source%%:*}; \
		install -D -m $$mode "$$source" "$$target" || exit 1; \
		printf '  %s\n' "$$target"; \
	done

uninstall:
	@for entry in $(INSTALLED); do \
		rm -f "$(DESTDIR)$${entry##*:}" || exit 1; \
	done
	@for directory in $(OWN_DIRECTORIES); do \
		[ ! -d "$(DESTDIR)$$directory" ] || \
			rmdir --ignore-fail-on-non-empty \
				"$(DESTDIR)$$directory" || exit 1; \
	done

# A Debian package, built from a copy by Debian's own tools: build/deb.
deb:
	@CC="$(CC)" tests/setup.sh deb
	@debian/build.sh build/deb

clean:
	rm -rf build srv cli device

-include $(shell find build -path build/deb -prune -o -name '*.d' -type f -print \
	2>/dev/null)
