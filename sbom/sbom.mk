# Bills of materials, VEX and the vulnerability gate. What they say and how to read them: docs/appliance/sbom.md.
HELP_MORE += 'make sbom         CycloneDX and OpenVEX from what was really linked: build/sbom/' \
             'make vulncheck DB=dir  that bill against an offline copy of OSV (DAYS=30: how old it may be)'
SBOM_ARCHES   = amd64 $(if $(wildcard image/image.mk),arm64)
SBOM_SUPPLIER = Postern
SBOM_URL      = https://postern.example.com/
SBOM_LICENCE  =
SBOM_BINARY   = build/postern $(if $(filter arm64,$(SBOM_ARCHES)),build/arm64/postern)
SBOM_TOOLS    = sbom/bill.py sbom/origin.py sbom/components.json sbom/sources.lock sbom/sbom.mk
SBOM_SCHEMAS  = sbom/npm/node_modules/.installed
SBOM_ALL      = $(patsubst %,build/sbom/postern-%.cdx.json,$(SBOM_ARCHES) $(if $(wildcard image/image.mk),image))
SBOM_VEX      = build/sbom/postern.openvex.json
# The date and the commit are those of the image.
SBOM_RUN      = read -r revision epoch <build/image/source; python3 sbom/bill.py --version '$(VERSION)' --revision "$$revision" \
                --epoch "$$epoch" --supplier '$(SBOM_SUPPLIER)' --supplier-url '$(SBOM_URL)' --licence '$(SBOM_LICENCE)'
DAYS         ?= 30

APPLIANCE += $(SBOM_ALL) $(SBOM_VEX) $(SBOM_SCHEMAS)

.PHONY: sbom sbom-schemas vulncheck
sbom: setup-test
	$(Q)$(MAKE) $(SBOM_ALL) $(SBOM_VEX) $(SBOM_SCHEMAS)
	$(Q)python3 sbom/check.py $(SBOM_ALL)
sbom-schemas: $(SBOM_SCHEMAS)

build/sbom/postern-amd64.cdx.json: build/postern build/image/source $(SBOM_TOOLS)
	$(call say,SBOM,$@)
	$(Q)mkdir -p $(@D); $(SBOM_RUN) --arch amd64 --out $@ arch
build/sbom/postern-arm64.cdx.json: build/arm64/postern build/image/source $(SBOM_TOOLS)
	$(call say,SBOM,$@)
	$(Q)mkdir -p $(@D); $(SBOM_RUN) --arch arm64 --out $@ arch
build/sbom/postern-image.cdx.json: $(patsubst %,build/sbom/postern-%.cdx.json,amd64 arm64) build/image/digest
	$(call say,SBOM,$@)
	$(Q)$(SBOM_RUN) --out $@ image

# The schemas of the format, for the check only; exactly as locked.
$(SBOM_SCHEMAS): sbom/npm/package-lock.json
	$(call say,NPM,sbom/npm)
	$(Q)cd sbom/npm && npm ci --no-audit --no-fund --loglevel=error >/dev/null && touch node_modules/.installed

# The statements are proved against every bill that there is.
$(SBOM_VEX): $(SBOM_ALL) sbom/vex.py sbom/vex.json
	$(call say,VEX,$@)
	$(Q)python3 sbom/vex.py --out $@ $(SBOM_ALL)

# 0 nothing found, 1 findings, 2 the answer would be worth nothing (see sbom/vulncheck.py). Needs no compiler, only the papers.
vulncheck: $(SBOM_ALL) $(SBOM_VEX)
	$(Q)python3 sbom/vulncheck.py --db '$(DB)' --days '$(DAYS)' --vex $(SBOM_VEX) $(if $(TOOLS),--tools) $(SBOM_ALL)
