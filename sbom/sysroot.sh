#!/bin/sh
# sysroot.sh LOCK SOURCES OUT [target|cross|host] [CC]: build, from the verified SOURCES that LOCK names,
#   target (as usual), for the machine that CC compiles for
#     OUT/sysroot   musl, kernel headers, libbearssl.a, jsmn.h: all that postern is made of besides its own code
#     OUT/cc        the compiler that sees this sysroot and nothing else of the host's libraries
#     OUT/tools     libseccomp, linked only into the build-time filter generator
#   cross           the same without OUT/tools, which run on the machine that builds
#   host
#     OUT/host      BearSSL and jsmn.h for the sanitizer and valgrind builds, which need the host's C library
# The same bytes come out wherever and whenever it runs: fixed umask, locale and time zone, sorted inputs, no -g
# (musl's configure takes any -g, even -g0, as a wish for debug information with the build path in it).
set -eu
umask 022
export LC_ALL=C TZ=UTC
unset CFLAGS CPPFLAGS LDFLAGS MAKEFLAGS MFLAGS 2>/dev/null || :
lock=$(realpath "$1") src=$(realpath "$2") what=${4:-target} cc=${5:-gcc}
mkdir -p "$3"
out=$(realpath "$3")
jobs=$(nproc)
[ "$jobs" -le 4 ] || jobs=4
work=$out/$what.work
rm -rf "$work"
mkdir -p "$work"

# aarch64-linux-gnu-gcc brings its own ar and ranlib; plain gcc has the host's.
tool=${cc%gcc}
[ "$tool" != "$cc" ] || tool=
arch=$($cc -dumpmachine)
arch=${arch%%-*}

say() { echo "sysroot: $*"; }
quietly() { # LOG COMMAND...: the log is shown only if the command fails
    log=$work/$1.log
    shift
    "$@" >>"$log" 2>&1 || { tail -n 40 "$log" >&2; say "failed: $*" >&2; exit 1; }
}

locked() { # -> lines: NAME SHA256 FILE
    sed -e 's/#.*//' "$lock" | awk 'NF == 5 { sub(".*/", "", $5); print $1, $4, $5 }'
}
(cd "$src" && locked | awk '{ print $2 "  " $3 }' | sha256sum --check --quiet --strict) || {
    say "an archive in $src is not verified: not the one that sbom/sources.lock names; nothing was unpacked" >&2
    exit 1
}

unpack() { # NAME: orig + Debian's patches in series order, into $work/NAME
    mkdir -p "$work/$1"
    for file in $(locked | awk -v n="$1" '$1 == n { print $3 }' | sort -r); do # orig before debian
        case $file in
        *.orig.tar.*) tar -x -C "$work/$1" --strip-components=1 --no-same-owner -f "$src/$file" ;;
        *.debian.tar.*) tar -x -C "$work/$1" --no-same-owner -f "$src/$file" ;;
        *.deb) dpkg-deb --fsys-tarfile "$src/$file" | tar -x -C "$work/$1" --no-same-owner ;;
        esac
    done
    [ -f "$work/$1/debian/patches/series" ] || return 0
    sed -e 's/#.*//' "$work/$1/debian/patches/series" | while read -r p _; do
        [ -z "$p" ] || quietly "$1" patch -d "$work/$1" -p1 --batch --forward --no-backup-if-mismatch \
            -i "$work/$1/debian/patches/$p"
    done
}

common="-fstack-clash-protection -fno-plt -ffunction-sections -fdata-sections -fPIE -ffile-prefix-map=$work=."
# Signed return addresses; no helpers of libgcc that ask the C library for the processor's features; and direct calls, since the linker
# cannot turn the ones through the GOT back into such here.
[ "$arch" != aarch64 ] || common="$common -mbranch-protection=pac-ret -mno-outline-atomics -fplt"

bearssl() { # COMPILER OUTDIR FLAGS...
    compiler=$1 objs=$2
    shift 2
    mkdir -p "$objs" "$objs/lib"
    (cd "$work/bearssl" && find src -name '*.c' | sort) >"$objs/list"
    (cd "$work/bearssl" && xargs -P "$jobs" -n 12 sh -c '
        cc=$1 objs=$2 flags=$3; shift 3
        for f; do $cc $flags -Iinc -Isrc -c "$f" -o "$objs/$(basename "$f" .c).o" || exit 255; done' \
        sh "$compiler" "$objs" "$*" <"$objs/list") || { say "failed: bearssl" >&2; exit 1; }
    # One directory, names are unique; sorted, and without dates or owners (D).
    (cd "$objs" && ls ./*.o | sort | xargs "${tool}ar" rcD lib/libbearssl.a)
}

if [ "$what" = host ]; then
    say "bearssl for the host's C library (tests only)"
    unpack bearssl
    unpack libjsmn-dev
    rm -rf "$out/host"
    mkdir -p "$out/host/include" "$out/host/lib"
    bearssl "$cc" "$work/bearssl.host" -w -O2 $common
    cp "$work"/bearssl/inc/*.h "$(find "$work/libjsmn-dev" -name jsmn.h)" "$out/host/include/"
    cp "$work/bearssl.host/lib/libbearssl.a" "$out/host/lib/"
    rm -rf "$work"
    exit 0
fi

rm -rf "$out/sysroot" "$out/tools" "$out/cc" "$out/musl.specs"
say "musl"
unpack musl
(
    cd "$work/musl"
    CFLAGS="-Os $common" quietly musl ./configure --target="$arch-linux-musl" --prefix=/usr --syslibdir=/lib \
        --disable-shared --disable-gcc-wrapper CC="$cc" AR="${tool}ar" RANLIB="${tool}ranlib" \
        LIBCC="$($cc -print-libgcc-file-name)"
    quietly musl make -j"$jobs"
    quietly musl make DESTDIR="$out/sysroot" install
    sh tools/musl-gcc.specs.sh "$out/sysroot/usr/include" "$out/sysroot/usr/lib" "/lib/ld-musl-$arch.so.1" \
        >"$out/musl.specs"
)
cat >"$out/cc" <<END
#!/bin/sh
exec $cc "\$@" -specs "$out/musl.specs"
END
chmod 755 "$out/cc"

say "kernel headers"
inc=$out/sysroot/usr/include
if [ "$what" = cross ]; then
    headers=/usr/$($cc -dumpmachine)/include asm=
else
    headers=/usr/include asm=$($cc -print-multiarch)/
fi
cp -rL "$headers/linux" "$headers/asm-generic" "$inc/"
cp -rL "$headers/${asm}asm" "$inc/" # Debian 13 has links here

say "bearssl"
unpack bearssl
bearssl "$out/cc" "$work/bearssl.musl" -w -O3 -fstack-protector-strong $common
cp "$work/bearssl.musl/lib/libbearssl.a" "$out/sysroot/usr/lib/"
cp "$work"/bearssl/inc/*.h "$inc/"

say "jsmn"
unpack libjsmn-dev
cp "$(find "$work/libjsmn-dev" -name jsmn.h)" "$inc/"

if [ "$what" = cross ]; then
    rm -rf "$work"
    exit 0
fi
say "libseccomp (for the filter generator only)"
unpack libseccomp
(
    cd "$work/libseccomp"
    quietly libseccomp ./configure --host="$arch-linux-musl" --prefix="$out/tools" --enable-static \
        --disable-shared --disable-python CC="$out/cc" CFLAGS="-O2 -fPIE -w" LDFLAGS=-static-pie
    quietly libseccomp make -j"$jobs" -C include
    quietly libseccomp make -j"$jobs" -C src libseccomp.la
)
mkdir -p "$out/tools/include" "$out/tools/lib"
cp "$work/libseccomp/include/seccomp.h" "$work/libseccomp/include/seccomp-syscalls.h" "$out/tools/include/"
cp "$work/libseccomp/src/.libs/libseccomp.a" "$out/tools/lib/"

rm -rf "$work"
