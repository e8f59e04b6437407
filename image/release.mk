# A release: every gate in order, the first that fails ends it. Gates and what they need: image/release.sh, docs/appliance/build.md.
HELP_MORE += 'make release      every gate, then a signed kit: DB=directory KEY=file ATTEST_KEY=file; DRY_RUN=1 shows the gates'
.PHONY: release
release:
	@MAKE='$(MAKE)' DB='$(DB)' KEY='$(KEY)' ATTEST_KEY='$(ATTEST_KEY)' DRY_RUN='$(DRY_RUN)' RELEASE_GATES='$(RELEASE_GATES)' \
	    sh image/release.sh $(VERSION)
