# The container runtime's seccomp profile and the auditor's listing, from the same lists as the binary's own filters.
TEST_PACKAGES += python3-yaml docker-compose podman runc systemd
HELP_MORE += 'make profile      build/profile: the seccomp profile for container runtimes, and a listing of all calls to read'
APPLIANCE += build/profile/postern.json build/profile/listing.txt
PROFILE_LISTS := $(sort $(wildcard seccomp/*.list))

.PHONY: profile
profile: build/profile/postern.json build/profile/listing.txt
build/profile/postern.json: build/seccomp-gen image/profile/seccomp.py $(PROFILE_LISTS)
	$(call say,GEN,$@)
	$(Q)$(UMASK) mkdir -p $(@D) && python3 -B image/profile/seccomp.py oci build/seccomp-gen $(PROFILE_LISTS) >$@
build/profile/listing.txt: build/seccomp-gen image/profile/seccomp.py $(PROFILE_LISTS)
	$(call say,GEN,$@)
	$(Q)$(UMASK) mkdir -p $(@D) && python3 -B image/profile/seccomp.py listing build/seccomp-gen $(PROFILE_LISTS) >$@
