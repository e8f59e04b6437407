#!/bin/sh
# live.sh build/fuzz/NAME: run a libFuzzer target for FUZZ_SECONDS, as one test.
# It starts from tests/fuzz/corpus/NAME; new inputs go to build/fuzz/found/NAME, a crash to build/fuzz/crash-NAME-*.
name=${1##*/}
found=build/fuzz/found/$name log=build/fuzz/$name.log
mkdir -p "$found"
dict=
[ ! -f "tests/fuzz/$name.dict" ] || dict=-dict=tests/fuzz/$name.dict
echo 1..1
if "$1" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=60 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 $dict \
    -artifact_prefix="build/fuzz/crash-$name-" "$found" "tests/fuzz/corpus/$name" >"$log" 2>&1 </dev/null; then
    echo "ok 1 - $name: $(sed -n 's/^stat::number_of_executed_units: */inputs run: /p' "$log")"
else
    echo "not ok 1 - $name"
    tail -n 40 "$log" | sed 's/^/# /' >&2
fi
