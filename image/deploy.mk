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

# The deployment files with everything filled in: name and digest of the image, the system calls of the lists.
HELP_MORE += 'make deploy       build/deploy: files for podman, docker compose, Kubernetes and systemd, naming this very image'
APPLIANCE += build/deploy.done
DEPLOY_SOURCES := $(wildcard image/deploy/*.* image/deploy/*/*.*)

.PHONY: deploy
deploy: build/deploy.done
build/deploy.done: build/image/digest build/seccomp-gen image/profile/seccomp.py $(DEPLOY_SOURCES) $(PROFILE_LISTS) Makefile
	$(call say,GEN,build/deploy)
	$(Q)$(UMASK) rm -rf build/deploy && mkdir -p build/deploy && \
	    python3 -B image/deploy/fill.py build/deploy "$(IMAGE_NAME)@$$(cat build/image/digest)" \
	    build/seccomp-gen $(PROFILE_LISTS) && touch $@
