# The container image. What is in it and why: image/README.md.
ARM64_PACKAGES = gcc-aarch64-linux-gnu binutils-aarch64-linux-gnu libc6-dev-arm64-cross
IMAGE_PACKAGES = $(RUN_PACKAGES) $(ARM64_PACKAGES) jq
TEST_PACKAGES += $(ARM64_PACKAGES) qemu-system-arm runc podman diffoscope-minimal
HELP_MORE += 'make image        the container image for amd64 and arm64: build/image/oci, its digest in build/image/digest' \
             'make reproduce-image  a second image, built elsewhere, must have the same digest'
APPLIANCE += build/image/digest build/arm64/t/arm64_init build/arm64/t/sandbox/calls build/arm64/t/sandbox/walls

.PHONY: image reproduce-image setup-image
image: setup-image
	$(Q)$(MAKE) build/image/digest
setup-image:
	@sh sbom/setup.sh $(foreach p,$(IMAGE_PACKAGES),'$(p)')

# What the labels say; rewritten only when it is something else.
build/image/source: FORCE
	$(Q)mkdir -p $(@D); sh image/source.sh >$@.new; cmp -s $@.new $@ || cp $@.new $@; rm -f $@.new
build/image/digest: build/postern build/arm64/postern build/image/source image/build.sh image/image.mk Makefile
	$(call say,IMAGE,build/image/oci)
	$(Q)read -r revision epoch <build/image/source; \
	    sh image/build.sh $(VERSION) "$$revision" "$$epoch" build/image amd64=build/postern arm64=build/arm64/postern
reproduce-image: build/image/digest
	$(PROVE) tests/reproduce-image.t

# The user space of the machine that tries the arm64 half.
build/arm64/t/arm64_init: tests/appliance/arm64_init.c build/arm64/cc
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && build/arm64/cc $(C11) -O2 -static-pie $< -o $@
