# Sourced by the *.t files here that speak TLS, before run-node.sh: certificates of ../lib/pki.py for one run. Node reads whom to trust when
# it starts, so they are made before. $PKI is the directory; the module removes it (pki.mjs).
PKI=$(mktemp -d "${TMPDIR:-/tmp}/postern-pki-XXXXXX") || exit 1
python3 "$(dirname "$0")/../lib/pki.py" "$PKI" door:p256:serverAuth:localhost,127.0.0.1 idp:p256:serverAuth:localhost up:p256:serverAuth:localhost \
	agent:p256:clientAuth:spiffe://acme/agent other:p256:clientAuth:spiffe://acme/other gate:p256:clientAuth:spiffe://gate >"$PKI/made.json" || exit 1
NODE_EXTRA_CA_CERTS=$PKI/ca.pem
export PKI NODE_EXTRA_CA_CERTS
