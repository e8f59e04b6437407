# Signatures, provenance, the kit for the air gap. How and why: docs/appliance/verify.md, docs/appliance/keys.md.
#   KEY=release.key ATTEST_KEY=attest.key     files, or env://VARIABLE; COSIGN_PASSWORD and ATTEST_PASSWORD from the environment
HELP_MORE += 'make sign         sign the image, the SBOM, provenance and VEX: KEY=file ATTEST_KEY=file (docs/appliance/keys.md)' \
             'make kit          the release directory and archive for a site without network: build/kit' \
             'make verify       KIT=directory or archive: is it whole, signed and not older? PUB=release key FINGERPRINT=hex' \
             'make tools-bundle write BUNDLE=directory of the signing and test tools, for TOOLS_DIR=directory' \
             'make tools-update look for newer versions of those tools and rewrite sign/tools.lock'
TEST_PACKAGES += busybox openssl strace podman
APPLIANCE += build/signtools/.done build/provenance.json

# The name that signatures bind the image to; a site's policy.json asks for it, whatever its own registry is called.
IMAGE_NAME ?= registry.example.com/postern
IDENTITY   = $(IMAGE_NAME):$(VERSION)
# A kit of the same version made anew (a newer VEX, a rotated key) has the next issue.
ISSUE      ?= 0
SIGNED      = build/sign
KITS        = build/kit
KIT        ?= $(KITS)/postern-$(VERSION)
SBOMS       = build/sbom/postern-amd64.cdx.json build/sbom/postern-arm64.cdx.json build/sbom/postern-image.cdx.json
VEX         = build/sbom/postern.openvex.json
# The runtime's seccomp profile and the auditor's listing.
KIT_PROFILE = build/profile/postern.json build/profile/listing.txt
export KEY ATTEST_KEY NEXT_KEY_PUB REVOKED BUILDER_ID

.PHONY: sign kit verify provenance tools-bundle tools-update
build/signtools/.done: sign/tools.lock sign/tools.sh
	$(Q)mkdir -p build; flock build/.signtools.lock sh -c '[ $@ -nt sign/tools.lock ] && [ $@ -nt sign/tools.sh ] && exit; \
	    sh sign/tools.sh sign/tools.lock build/deps/tools build/signtools && touch $@'

provenance: build/provenance.json
build/provenance.json: build/image/digest sbom/sources.lock sign/provenance.py
	$(Q)python3 sign/provenance.py --source build/image/source.json --lock sbom/sources.lock --identity $(IDENTITY) --out $@

# All there is to sign, by one make: two in one tree would be in each other's way.
sign: setup-image
	$(Q)$(MAKE) build/signtools/.done build/image/digest build/provenance.json $(SBOMS) $(VEX) $(KIT_PROFILE) build/deploy.done
	$(Q)python3 sign/sign.py --image build/image/oci --name $(VERSION) --identity $(IDENTITY) --out $(SIGNED) \
	    --attest cyclonedx:index:sbom-image:build/sbom/postern-image.cdx.json \
	    --attest cyclonedx:amd64:sbom-amd64:build/sbom/postern-amd64.cdx.json \
	    --attest cyclonedx:arm64:sbom-arm64:build/sbom/postern-arm64.cdx.json \
	    --attest slsaprovenance1:index:provenance:build/provenance.json --attest openvex:index:vex:$(VEX)
	$(Q)cp build/provenance.json $(SIGNED)/

# What else goes along, as it stands in the tree.
KIT_MORE = $(wildcard README.md CHANGELOG.md docs seccomp examples) build/deploy
kit: sign
	$(Q)python3 sign/kit.py --signed $(SIGNED) --version $(VERSION) --identity $(IDENTITY) --source build/image/source.json \
	    --out $(KITS)/postern-$(VERSION) --issue $(ISSUE) $(foreach f,$(SBOMS),--copy $(f):sbom/$(notdir $(f))) \
	    --copy $(VEX):vex/$(notdir $(VEX)) --copy $(SIGNED)/provenance.json:provenance/postern.slsa.json \
	    --copy sbom/sources.lock:sbom/sources.lock $(foreach f,$(KIT_MORE),--copy $(f):$(f:build/%=%)) \
	    $(foreach f,$(KIT_PROFILE),--copy $(f):profile/$(notdir $(f)))

# The key that this tree has signed with, unless another is given; a site gives its own.
PUB ?= $(if $(FINGERPRINT),,$(SIGNED)/release.pub)
verify:
	@sh sign/verify.sh $(if $(PUB),--key '$(PUB)') $(if $(FINGERPRINT),--fingerprint '$(FINGERPRINT)') \
	    --state '$(or $(STATE),$(KITS)/accepted)' '$(KIT)'

tools-bundle: build/signtools/.done
	$(Q)sh sbom/bundle.sh sign/tools.lock build/deps/tools $(or $(BUNDLE),build/tools-bundle)
tools-update:
	$(Q)sh sign/update.sh sign/tools.lock
