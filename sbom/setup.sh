#!/bin/sh
# setup.sh PACKAGE...: install the Debian packages that are missing here; costs one look-up when none is.
#   nodejs?node>=18   means: package nodejs, unless a command `node` of version 18 or later is there already
# NO_INSTALL=1 only prints what is missing and stops.
set -eu

command -v dpkg-query >/dev/null || {
    echo "setup: this is no Debian, so nothing is installed. Needed: $*" >&2
    exit 0
}

have_command() { # NAME>=MAJOR
    command -v "${1%%>=*}" >/dev/null || return 1
    major=$("${1%%>=*}" --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge "${1##*>=}" ]
}

names=
for p; do
    case $p in *\?*) have_command "${p#*\?}" && continue ;; esac
    names="$names ${p%%\?*}"
done
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $names 2>/dev/null | sed -n 's/ installed$//p')
missing=
for p in $names; do
    printf '%s\n' "$installed" | grep -qxF "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

echo "setup: Debian packages missing here:$missing"
if [ -n "${NO_INSTALL:-}" ]; then
    echo "setup: NO_INSTALL is set, so nothing was installed. To go on, run: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "setup: not root, and no sudo here. As root, run: apt-get install --no-install-recommends$missing" >&2
        exit 1
    }
    sudo=sudo
fi

# Packages with a service (nginx, haproxy) are wanted as test tools only: they must not start listening.
# policy-rc.d is Debian's way to say so during an install; one that the host already has is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$sudo rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
    $sudo chmod 755 $policy
fi
echo "setup: installing them with apt-get"
log=$(mktemp)
{ $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
    --no-install-recommends $missing; } >"$log" 2>&1 </dev/null || {
    tail -n 25 "$log" >&2
    rm -f "$log"
    echo "setup: apt-get failed; its last lines stand above" >&2
    exit 1
}
rm -f "$log"
for service in nginx haproxy; do
    case " $missing " in *" $service "*)
        [ ! -d /run/systemd/system ] || $sudo systemctl disable --quiet --now "$service" || : ;;
    esac
done
