# Postern: one static binary. `make run` builds and starts it, `make test` runs every test, `make help` lists the rest.
#
#   V=1             show the commands          NO_INSTALL=1   only print the Debian packages that are missing
#   DEPS_DIR=dir    build with no network, from a directory made by `make deps-bundle`
#
# Third-party code is never in this tree: sbom/sources.lock names it, sbom/*.sh fetch, verify and build it into build/.

VERSION := 0.1.0
# The day of this version (CHANGELOG.md has it too): a clock that stands before it is wrong, and no token is believed by it.
DATE    := 2026-11-23

RUN_PACKAGES  := gcc binutils linux-libc-dev xz-utils gperf patch
TEST_PACKAGES := $(RUN_PACKAGES) libc6-dev perl python3 jq nginx haproxy slowhttptest valgrind strace faketime clang \
                 libclang-rt-dev curl openssl gnutls-bin sslscan testssl.sh procps util-linux python3-jsonschema python3-venv nodejs?node>=18 npm?npm>=8

# The appliance brings its own targets, packages and help lines: image/, sbom/, sign/.
HELP_MORE :=
-include $(sort $(wildcard image/*.mk sbom/*.mk sign/*.mk))

# The same bytes everywhere: nothing of the builder's surroundings may reach a tool.
export LC_ALL := C
export TZ := UTC
unexport CFLAGS CPPFLAGS LDFLAGS
SHELL := /bin/sh
UMASK := umask 022;
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell n=$$(nproc); [ $$n -le 4 ] && echo $$n || echo 4)
endif
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# ---------------------------------------------------------------------------------------------------- what there is
# Rooms from the bottom up; a library may use only those to the left that src/README.md allows it.
ROOMS := $(foreach r,base os wire gate conf provider bridge elder flow role cmd,$(if $(wildcard src/$(r)/*.c),$(r)))
MAY_base     := base
MAY_os       := os base
MAY_wire     := wire base
MAY_gate     := gate wire base
MAY_conf     := conf gate wire base
MAY_provider := provider wire os base
MAY_bridge   := bridge gate wire base
MAY_elder    := elder wire base
MAY_flow     := flow gate wire os base
PARTS        := flow bridge elder provider conf gate wire os base
MAY_role     := role $(PARTS)
MAY_cmd      := cmd $(MAY_role)

UNIT_SRC  := $(sort $(wildcard tests/unit/$(or $(ROOM),*)/*_test.c))
FUZZ_SRC  := $(sort $(wildcard tests/fuzz/*_fuzz.c))
UNIT_NAME := $(UNIT_SRC:tests/unit/%.c=%)
FUZZ_NAME := $(FUZZ_SRC:tests/fuzz/%_fuzz.c=%)
LISTS     := $(filter-out seccomp/runtime.list,$(sort $(wildcard seccomp/*.list seccomp/*.deny)))
GENERATED := $(if $(wildcard seccomp/gen.c),role/seccomp_table)

# ------------------------------------------------------------------------------------------------------------ flags
WARN := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wformat=2 -Werror
BUILT := $(shell date -u -d '$(DATE)' +%s)
CPP  := -Isrc -D_GNU_SOURCE= -DPOSTERN_VERSION='"$(VERSION)"' -DPOSTERN_BUILT=$(BUILT) -ffile-prefix-map=$(CURDIR)=. -MMD -MP
HARD := -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero -fno-plt -fPIE \
        -fno-strict-aliasing -fno-delete-null-pointer-checks -fno-common
LINK := -static-pie -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,noseparate-code \
        -Wl,--build-id=sha1 -Wl,--fatal-warnings

# The rooms are small modules that call each other a lot; optimising them as one program takes 5 % off a request. The objects are whole
# ones all the same, so that lint can look at each.
LTO   = -flto -ffat-lto-objects -frandom-seed=$@

# Nothing unwinds here: no C++, no dumps, and the kernel kills. What is not on a request's path is built for size: whole rooms, and of flow
# what fetches keys, tokens and catalogues, gathers lists, listens, carries tasks and rounds, and speaks the old HTTP; of gate, what seals.
SMALL := -fno-asynchronous-unwind-tables -fno-unwind-tables
COLD   = $(if $(strip $(foreach r,cmd/ conf/ role/ elder/ bridge/ $(addprefix gate/,seal cursor task_id request_state passport) $(addprefix flow/,broker catalog_fetch fetch gather listen old_http retry task),$(findstring /obj/$(r),$@))),-Os)

# Variants of the whole program: directory, compiler, flags, what must be there first.
#   own    the product                        san    ASan and UBSan, host libc (they need calls the sandbox kills)
#   arm64  the product, cross-built
#   clang  proof that clang agrees            plain  host libc, for valgrind          fuzz   libFuzzer
C11 := -std=c11 $(WARN) $(CPP)
DIR_own   := build
CC_own    := build/cc
PLAIN_own := $(C11) -O2 $(HARD) $(SMALL) -ffunction-sections -fdata-sections
FLAGS_own  = $(PLAIN_own) $(LTO) $(COLD)
NEED_own  := build/cc
DIR_arm64   := build/arm64
CC_arm64    := build/arm64/cc
TOOL_arm64  := aarch64-linux-gnu-
GEN_arm64   := build/arm64/gen
ARM64       := -mbranch-protection=pac-ret -mno-outline-atomics -fplt
FLAGS_arm64  = $(PLAIN_own) $(ARM64) $(LTO) $(COLD)
NEED_arm64  := build/arm64/cc
DIR_clang   := build/clang
CC_clang     = clang --target=$$(gcc -print-multiarch) -nostdinc -isystem $$(clang -print-resource-dir)/include \
               -isystem build/sysroot/usr/include -Wno-unused-command-line-argument \
               $$(clang --version | grep -q 'version 1[0-5]\.' && \
                  echo -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
FLAGS_clang := $(PLAIN_own)
NEED_clang  := build/cc
DIR_plain   := build/plain
CC_plain    := gcc
FLAGS_plain := $(C11) -g -O1 -fno-omit-frame-pointer -DPOSTERN_SANITIZE -isystem build/host/include
NEED_plain  := build/host/lib/libbearssl.a
DIR_san   := build/san
CC_san    := gcc
FLAGS_san := $(FLAGS_plain) -fsanitize=address,undefined -fno-sanitize-recover=all
NEED_san  := $(NEED_plain)
DIR_fuzz   := build/fuzz
CC_fuzz    := clang
FLAGS_fuzz := $(FLAGS_san) -fsanitize=fuzzer-no-link
NEED_fuzz  := $(NEED_plain)

# ---------------------------------------------------------------------------------------------------------- building
.PHONY: all run test unit system lint sandbox peers table fuzz-corpus fuzz san valgrind bench reproduce clang clean \
        help deps-bundle deps-update setup-run setup-test test-programs FORCE
all: build/postern
export DEPS_DIR

# Sysroot, compiler and tools: from verified sources only, anew when the lock or the recipe changes.
# (Under a lock: two makes in one tree must not build it at the same time.)
build/cc build/host/lib/libbearssl.a: sbom/sources.lock sbom/sysroot.sh
	$(Q)mkdir -p build; flock build/.$(if $(findstring host,$@),host,target).lock sh -c ' \
	    [ $@ -nt sbom/sources.lock ] && [ $@ -nt sbom/sysroot.sh ] && exit; \
	    flock build/.deps.lock sh sbom/fetch.sh sbom/sources.lock build/deps && \
	    sh sbom/sysroot.sh sbom/sources.lock build/deps build $(if $(findstring host,$@),host,target) && touch $@'
# The syscall lists become BPF at build time, so libseccomp is not in the product.
build/arm64/cc: sbom/sources.lock sbom/sysroot.sh
	$(Q)mkdir -p build/arm64; flock build/.arm64.lock sh -c ' \
	    [ $@ -nt sbom/sources.lock ] && [ $@ -nt sbom/sysroot.sh ] && exit; \
	    flock build/.deps.lock sh sbom/fetch.sh sbom/sources.lock build/deps && \
	    sh sbom/sysroot.sh sbom/sources.lock build/deps build/arm64 cross $(TOOL_arm64)gcc && touch $@'
build/seccomp-gen: seccomp/gen.c build/cc Makefile
	$(call say,CC,$<)
	$(Q)$(UMASK) build/cc $(FLAGS_own) -isystem build/tools/include -static-pie $< build/tools/lib/libseccomp.a -o $@
build/gen/role/seccomp_table.c: build/seccomp-gen $(LISTS)
	$(call say,GEN,$@)
	$(Q)$(UMASK) mkdir -p $(@D) && build/seccomp-gen x86_64 $(LISTS) >$@
build/arm64/gen/role/seccomp_table.c: build/seccomp-gen $(LISTS)
	$(call say,GEN,$@)
	$(Q)$(UMASK) mkdir -p $(@D) && build/seccomp-gen aarch64 $(LISTS) >$@

# One variant: objects in DIR/obj, one archive per room in DIR.
define variant
$(DIR_$(1))/obj/%.o: src/%.c Makefile $(NEED_$(1))
	$$(call say,CC,$$@)
	$(Q)$(UMASK) mkdir -p $$(@D) && $$(CC_$(1)) $$(FLAGS_$(1)) -c $$< -o $$@
$(DIR_$(1))/obj/%.o: $(or $(GEN_$(1)),build/gen)/%.c Makefile $(NEED_$(1))
	$$(call say,CC,$$@)
	$(Q)$(UMASK) mkdir -p $$(@D) && $$(CC_$(1)) $$(FLAGS_$(1)) -c $$< -o $$@
$(foreach room,$(ROOMS),$(call archive,$(DIR_$(1)),$(room),$(TOOL_$(1))))
-include $(wildcard $(DIR_$(1))/obj/*/*.d $(DIR_$(1))/obj/*.d)

endef
# The list of members is a prerequisite, so that a removed file leaves the archive too.
define archive
$(1)/lib$(2).a: $(patsubst src/%.c,$(1)/obj/%.o,$(sort $(wildcard src/$(2)/*.c))) \
    $(patsubst %,$(1)/obj/%.o,$(filter $(2)/%,$(GENERATED))) $(1)/obj/$(2).members
	$(Q)$(UMASK) rm -f $$@ && $(3)ar rcD $$@ $$(filter %.o,$$^)
$(1)/obj/$(2).members: FORCE
	$(Q)mkdir -p $$(@D); echo '$(sort $(wildcard src/$(2)/*.c))' | cmp -s - $$@ || \
	    echo '$(sort $(wildcard src/$(2)/*.c))' >$$@

endef
$(eval $(foreach v,own arm64 san plain fuzz clang,$(call variant,$(v))))
libs = $(patsubst %,$(DIR_$(1))/lib%.a,$(filter $(ROOMS),$(2)))

build/postern: build/obj/main.o $(call libs,own,$(MAY_cmd))
	$(call say,LINK,$@)
	$(Q)$(UMASK) build/cc $(LINK) -O2 $(HARD) $(SMALL) -flto -flto-partition=one -save-temps=obj -Wl,-Map=build/postern.map $^ -lbearssl -o $@.full
	$(Q)$(UMASK) strip -s --remove-section=.comment -o $@ $@.full
build/arm64/postern: build/arm64/obj/main.o $(call libs,arm64,$(MAY_cmd))
	$(call say,LINK,$@)
	$(Q)$(UMASK) build/arm64/cc $(LINK) -O2 $(HARD) $(SMALL) $(ARM64) -flto -flto-partition=one -save-temps=obj -Wl,-Map=$@.map $^ -lbearssl -o $@.full
	$(Q)$(UMASK) $(TOOL_arm64)strip -s --remove-section=.comment -o $@ $@.full
build/postern-san: build/san/obj/main.o $(call libs,san,$(MAY_cmd)) build/host/lib/libbearssl.a
	$(call say,LINK,$@)
	$(Q)gcc -fsanitize=address,undefined -Wl,--build-id=sha1 $^ -o $@
build/postern-plain: build/plain/obj/main.o $(call libs,plain,$(MAY_cmd)) build/host/lib/libbearssl.a
	$(call say,LINK,$@)
	$(Q)gcc -Wl,--build-id=sha1 $^ -o $@
# clang's own -static-pie driver picks the host's start files; ours are named one by one.
build/clang/postern: build/clang/obj/main.o $(call libs,clang,$(MAY_cmd))
	$(call say,LINK,$@)
	$(Q)s=build/sysroot/usr/lib; g=$$(dirname "$$(gcc -print-libgcc-file-name)"); \
	    clang $(LINK) -nostdlib $$s/rcrt1.o $$s/crti.o $$g/crtbeginS.o $^ $$s/libbearssl.a \
	    -Wl,--start-group $$s/libc.a $$g/libgcc.a $$g/libgcc_eh.a -Wl,--end-group $$g/crtendS.o $$s/crtn.o -o $@

# --------------------------------------------------------------------------------------------------------- test programs
UNIT_MUSL  := $(patsubst %,build/t/musl/%,$(UNIT_NAME))
UNIT_SAN   := $(patsubst %,build/t/san/%,$(UNIT_NAME))
UNIT_PLAIN := $(patsubst %,build/t/plain/%,$(UNIT_NAME))
FUZZ_RUN   := $(patsubst %,build/t/fuzz/%,$(FUZZ_NAME))
FUZZ_LIVE  := $(patsubst %,build/fuzz/%,$(FUZZ_NAME))

# A unit test links its own room and those it may use, and nothing else: the link line proves the module.
# Files of a test's folder that are no tests are linked in front: a stand-in for a module wins over the archive's own.
stand_in = $(filter-out %_test.c,$(wildcard tests/unit/$(dir $(1))*.c))
define unit_test
build/t/musl/$(1): tests/unit/$(1).c $(call stand_in,$(1)) $(call libs,own,$(MAY_$(patsubst %/,%,$(dir $(1))))) build/cc
	$$(call say,TEST,$$@)
	$(Q)mkdir -p $$(@D) && build/cc $(PLAIN_own) -fno-lto -fno-use-linker-plugin -Itests -static-pie $$(filter %.c %.a,$$^) -lbearssl -o $$@
build/t/san/$(1): tests/unit/$(1).c $(call stand_in,$(1)) $(call libs,san,$(MAY_$(patsubst %/,%,$(dir $(1))))) build/host/lib/libbearssl.a
	$$(call say,TEST,$$@)
	$(Q)mkdir -p $$(@D) && gcc $(FLAGS_san) -Itests $$(filter %.c %.a,$$^) -o $$@
build/t/plain/$(1): tests/unit/$(1).c $(call stand_in,$(1)) $(call libs,plain,$(MAY_$(patsubst %/,%,$(dir $(1))))) build/host/lib/libbearssl.a
	$$(call say,TEST,$$@)
	$(Q)mkdir -p $$(@D) && gcc $(FLAGS_plain) -Itests $$(filter %.c %.a,$$^) -o $$@

endef
$(eval $(foreach t,$(UNIT_NAME),$(call unit_test,$(t))))
-include $(wildcard build/t/*/*/*.d build/t/fuzz/*.d build/fuzz/*.d)

# What a fuzzer needs in front of the archives.
FUZZ_WITH_flow := tests/unit/flow/sim.c tests/unit/flow/sim_tls.c
FUZZ_WITH_door := tests/unit/flow/sim.c tests/unit/flow/sim_tls.c
FUZZ_WITH_old_http := tests/unit/flow/sim.c tests/unit/flow/sim_tls.c

# Each fuzzer twice: with a driver of ours over its corpus (part of the tests), and live with libFuzzer.
build/t/fuzz/%: tests/fuzz/%_fuzz.c tests/fuzz/driver.c $(call libs,san,$(PARTS)) build/host/lib/libbearssl.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D) && gcc $(FLAGS_san) -Itests -DFUZZ_NAME='"$*"' $(filter tests/fuzz/%.c,$^) $(FUZZ_WITH_$*) $(filter %.a,$^) -o $@
build/fuzz/%: tests/fuzz/%_fuzz.c $(call libs,fuzz,$(PARTS)) build/host/lib/libbearssl.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D) && clang $(FLAGS_san) -fsanitize=fuzzer -Itests $(filter tests/fuzz/%.c,$^) $(FUZZ_WITH_$*) $(filter %.a,$^) -o $@

# Programs that the sandbox tests run.
BOX_RUN := $(patsubst tests/sandbox/%.c,build/t/sandbox/%,$(wildcard tests/sandbox/*.c))
build/t/sandbox/%: tests/sandbox/%.c $(call libs,own,$(MAY_role)) build/cc
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && build/cc $(PLAIN_own) -fno-lto -fno-use-linker-plugin -Itests -static-pie $(filter %.c %.a,$^) -lbearssl -o $@
build/arm64/t/sandbox/%: tests/sandbox/%.c $(call libs,arm64,$(MAY_role)) build/arm64/cc
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && build/arm64/cc $(PLAIN_own) $(ARM64) -fno-lto -fno-use-linker-plugin -Itests -static-pie $(filter %.c %.a,$^) \
	    -lbearssl -o $@

# Clients and servers of the official SDK, exactly as locked. Anew only when the lock has changed.
PEERS := $(if $(wildcard tests/peers/package-lock.json),tests/peers/node_modules/.installed) \
         $(patsubst tests/peers/python-%.txt,build/peers/python-%/.installed,$(wildcard tests/peers/python-*.txt))
tests/peers/node_modules/.installed: tests/peers/package-lock.json
	$(call say,NPM,tests/peers)
	$(Q)cd tests/peers && npm ci --no-audit --no-fund --loglevel=error >/dev/null && touch node_modules/.installed
# (Debian's own Python: servers that Postern starts are not root, and must be able to run it.)
build/peers/python-%/.installed: tests/peers/python-%.txt
	$(call say,PIP,$(@D))
	$(Q)rm -rf $(@D); mkdir -p $(@D) && $(firstword $(wildcard /usr/bin/python3) python3) -m venv $(@D) && $(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes \
	    --no-deps --only-binary=:all: -r $< && touch $@

# ------------------------------------------------------------------------------------------------------------ testing
# Everything is TAP and goes through one prove: first what may run side by side, then the rest one by one (rules.yml).
suite = $(sort $(wildcard $(patsubst %,tests/%/*.t,$(1))))
UNIT  := $(UNIT_MUSL) $(UNIT_SAN)
PROVE := HARNESS_RULESFILE=tests/rules.yml prove -j2 -e ''
export ASAN_OPTIONS := abort_on_error=0:detect_stack_use_after_return=1
export UBSAN_OPTIONS := print_stacktrace=1
FUZZ_SECONDS ?= 60

test: setup-test
	$(Q)$(MAKE) test-programs
	$(PROVE) $(UNIT) $(FUZZ_RUN) $(call suite,table lint sandbox system peers appliance) tests/reproduce.t tests/reproduce-image.t
test-programs: build/postern $(APPLIANCE) $(UNIT) $(FUZZ_RUN) $(BOX_RUN) $(PEERS)

unit: $(UNIT)
	$(PROVE) $^
fuzz-corpus: $(FUZZ_RUN)
	$(PROVE) $^
table lint: build/postern
	$(PROVE) $(call suite,$@)
sandbox system: build/postern $(BOX_RUN)
	$(PROVE) $(call suite,$@)
peers: build/postern $(PEERS)
	$(PROVE) $(call suite,$@)
reproduce: build/postern
	$(PROVE) tests/reproduce.t

# The unit and system suites (but for the documents, which show the product) with the sanitizers, and under valgrind.
BEHAVIOUR = $(filter-out tests/system/90-docs.t,$(call suite,system))
san: build/postern-san $(UNIT_SAN)
	POSTERN=$(CURDIR)/build/postern-san $(PROVE) $(UNIT_SAN) $(BEHAVIOUR)
valgrind: build/postern-plain $(UNIT_PLAIN)
	prove -j2 -e 'sh tests/valgrind.sh' $(UNIT_PLAIN)
	POSTERN=$(CURDIR)/tests/valgrind-postern.sh $(PROVE) $(BEHAVIOUR)
# Every fuzzer live for FUZZ_SECONDS, two at a time; what it finds stays in build/fuzz/found/.
fuzz: $(FUZZ_LIVE)
	FUZZ_SECONDS=$(FUZZ_SECONDS) prove -j2 -e 'sh tests/fuzz/live.sh' $^
clang: build/clang/postern
	$(Q)build/clang/postern version

# ------------------------------------------------------------------------------------------------------- benchmarks
BENCH := $(patsubst tests/bench/%.c,build/bench/%,$(wildcard tests/bench/*.c))
build/bench/%: tests/bench/%.c $(call libs,own,$(PARTS)) build/cc
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D) && build/cc $(PLAIN_own) -fno-lto -fno-use-linker-plugin -Itests -static-pie $(filter %.c %.a,$^) -lbearssl -o $@
bench: build/postern $(BENCH) $(PEERS)
	$(Q)for b in $(filter-out %.c %.h %.md %.py %.sh,$(sort $(wildcard tests/bench/*))); do \
	    [ ! -x $$b ] || [ -d $$b ] || $$b || exit; done

# ------------------------------------------------------------------------------------------------- set-up and running
setup-run:
	@sh sbom/setup.sh $(foreach p,$(RUN_PACKAGES),'$(p)')
setup-test:
	@sh sbom/setup.sh $(foreach p,$(TEST_PACKAGES),'$(p)')

define HELLO

Postern serves examples/demo.json at http://127.0.0.1:8080/mcp (Ctrl-C stops it). Ask it what it offers:

  curl -sS http://127.0.0.1:8080/mcp -H 'Content-Type: application/json' \
    -H 'Accept: application/json, text/event-stream' -H 'MCP-Protocol-Version: 2026-07-28' \
    -H 'Mcp-Method: tools/list' -d '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{
      "io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'

or with the official TypeScript SDK (npm i @modelcontextprotocol/client):

  import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
  const client = new Client({ name: 'me', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(new StreamableHTTPClientTransport(new URL('http://127.0.0.1:8080/mcp')));
  console.log(await client.listTools());

endef
export HELLO
run: setup-run
	$(Q)$(MAKE) build/postern
	@printf '%s\n' "$$HELLO"
	@exec build/postern serve -c examples/demo.json

# --------------------------------------------------------------------------------------------------------- housekeeping
deps-bundle:
	$(Q)sh sbom/bundle.sh sbom/sources.lock build/deps $(or $(BUNDLE),build/deps-bundle)
deps-update:
	$(Q)sh sbom/update.sh sbom/sources.lock
clean:
	rm -rf build
help:
	@printf '%s\n' \
	    'make run          install what is missing, fetch, build, start on examples/demo.json' \
	    'make test         install what is missing, build, run every test' \
	    'make              build/postern only' \
	    'make unit | table | lint | sandbox | system | peers | fuzz-corpus | reproduce    one suite (unit: ROOM=wire)' \
	    'make san          unit and system suites with ASan and UBSan' \
	    'make valgrind     unit and system suites under valgrind' \
	    'make fuzz         every fuzzer live for FUZZ_SECONDS=60' \
	    'make clang        the same program with clang, warnings as errors' \
	    'make bench        the measurements of tests/bench' \
	    'make deps-bundle  write BUNDLE=directory, for a build with no network: make DEPS_DIR=directory' \
	    'make deps-update  look for newer third-party versions and rewrite sbom/sources.lock' \
	    $(HELP_MORE) 'make clean        remove build/'

FORCE:
