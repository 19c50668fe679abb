#!/bin/bash
# All tests. Installs what is missing, builds what is needed under build/, prints a summary, and ends with a status
# other than 0 when anything failed.
#
#   tests/run.sh            everything
#   tests/run.sh unit http  only these steps, see below for their names
#
# Most steps wait most of the time, for clocks and for servers, so several run side by side. Each one's output is in
# build/steps while it runs, and shown when it has ended.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"
cd "$root"

python=/usr/bin/python3
logs=build/steps
jobs=$(nproc)
lanes=1 # how many steps run side by side
wanted=("$@")
summary=()
failures=0
declare -A running=() # the steps that run, by process id

export CUBBY_WERROR=ON
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=second_deadlock_stack=1
export PYTHONDONTWRITEBYTECODE=1
# Settings of the caller's must not steer the tests.
unset "${!HTTP_@}" "${!CACHE_@}" "${!MEMORY_@}" "${!REDIS_@}" "${!MEMCACHED_@}" "${!LOG_@}" "${!ADMIN_@}"

# ---- Steps side by side ----

is_wanted() {
    local step
    [ ${#wanted[@]} -gt 0 ] || return 0
    for step in "${wanted[@]}"; do
        [ "$step" != "$1" ] || return 0
    done
    return 1
}

# start NAME...: these steps in this order, each as soon as a lane is free, unless others were asked for.
start() {
    local name
    for name in "$@"; do
        is_wanted "$name" || continue
        while [ ${#running[@]} -ge "$lanes" ]; do
            end_one
        done
        printf -- '---- %s begins after %d s\n' "$name" "$SECONDS"
        run_step "$name" >"$logs/$name.log" 2>&1 &
        running[$!]=$name
    done
}

# In a shell of its own. Notes how long it took, by the clock and of the processor.
run_step() {
    local TIMEFORMAT='%0R %0U %0S'
    set +e
    {
        time {
            # A subshell of its own keeps -e alive inside the function.
            (
                set -e
                "step_${1//-/_}"
            ) >&3 2>&3
        }
    } 3>&1 2>"$logs/$1.times"
}

end_one() {
    local name pid status=0
    wait -n -p pid "${!running[@]}" || status=$?
    name=${running[$pid]}
    unset "running[$pid]"
    printf '\n==== %s\n' "$name"
    cat "$logs/$name.log"
    note_step "$name" $status
}

end_all() {
    while [ ${#running[@]} -gt 0 ]; do
        end_one
    done
}

# note_step NAME STATUS
note_step() {
    local seconds user system how
    read -r seconds user system <"$logs/$1.times"
    case $2 in
    0) how=passed ;;
    77) how=skipped ;;
    *)
        how="FAILED $2"
        failures=$((failures + 1))
        ;;
    esac
    summary+=("$(printf '%-10s %5d s %5d s  %s' "$how" "$seconds" $((user + system)) "$1")")
}

# ---- What they share ----

# Runs a command with its output in a file, of which only a failure shows the end.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 || status=$?
    [ $status -eq 0 ] || tail -n 60 "$log"
    rm -f "$log"
    return $status
}

# build PRESET ARGUMENT...: one at a time; who comes second finds nothing left to do.
build() {
    local preset=$1
    shift
    (
        flock 9
        quietly cmake --preset "$preset"
        quietly cmake --build "build/$preset" -j "$jobs" "$@"
    ) 9>"$logs/$preset.lock"
}

run_pytest() {
    "$python" -m pytest -q -p no:cacheprovider --durations=5 "$@"
}

# ---- The steps ----

# Criterion: units, and the contract that every engine keeps; with address and undefined-behaviour sanitizers. The
# lint tests (tests/lint) are among them.
step_unit() {
    build dev
    ctest --test-dir build/dev --output-on-failure --no-tests=error -j "$jobs"
}

# Under the thread sanitizer only the plain programs are built: Criterion's runner does not survive it.
step_stress() {
    build tsan
    ctest --test-dir build/tsan --output-on-failure --no-tests=error -E '^lint'
}

step_http() {
    build dev
    CUBBY_BINARY=$root/build/dev/cubby run_pytest tests/http
}

# The HTTP suite where it meets the engine, on each engine of tests/support/engines.py that is a server of its own.
# tests/http/conftest.py says what is the same whatever the engine is.
http_on() {
    build dev
    CUBBY_TEST_ENGINE=$1 CUBBY_BINARY=$root/build/dev/cubby run_pytest -m "not any_engine" tests/http
}

step_http_redis() { http_on redis; }
step_http_redis_sentinel() { http_on redis-sentinel; }
step_http_redis_cluster() { http_on redis-cluster; }
step_http_memcached() { http_on memcached; }
step_http_memcached_3() { http_on memcached-3; }

# Real servers that are killed, paused, moved and lied for.
step_fault_redis() {
    build dev
    CUBBY_BINARY=$root/build/dev/cubby run_pytest tests/fault/redis
}

step_fault_memcached() {
    build dev
    CUBBY_BINARY=$root/build/dev/cubby run_pytest tests/fault/memcached
}

# Clients at two replicas, an engine that is disturbed, and a search for a legal order of what they saw; and the checker
# itself. For figures to quote: tests/history/run.py --operations 1000000.
step_history() {
    build dev
    run_pytest tests/history
    CUBBY_BINARY=$root/build/dev/cubby "$python" tests/history/run.py \
        --engine memory redis redis-cluster memcached-3 --operations 40000
}

# The parts of the HTTP suite in which threads meet, against the thread-sanitized service.
step_race() {
    build tsan
    CUBBY_BINARY=$root/build/tsan/cubby run_pytest tests/http/test_conditions.py tests/http/test_connections.py \
        tests/http/test_flush.py tests/http/test_drain.py tests/http/test_slow_engine.py \
        tests/http/test_batch.py tests/http/test_import.py tests/http/test_leases.py tests/http/test_locks.py \
        tests/http/test_listing.py tests/http/test_access.py tests/http/test_access_matrix.py tests/http/test_metrics.py \
        tests/http/test_tls.py tests/http/test_admin_port.py
}

step_smoke() {
    build release
    CUBBY_BINARY=$root/build/release/cubby run_pytest -m smoke tests/http
}

# A few seconds for every fuzz target, on top of its corpus.
step_fuzz() {
    local target name seconds=${CUBBY_FUZZ_SECONDS:-5} found=0
    if ! command -v clang >/dev/null 2>&1; then
        echo "skipped: no clang"
        return 77
    fi
    build fuzz --target tests/fuzz/all
    for target in build/fuzz/tests/fuzz/fuzz_*; do
        if [ ! -f "$target" ] || [ ! -x "$target" ]; then
            continue
        fi
        found=1
        name=$(basename "$target")
        mkdir -p "build/fuzz/found/$name"
        echo "$name, $seconds s"
        quietly "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
            -artifact_prefix="build/fuzz/found/$name/" "build/fuzz/found/$name" \
            "$(corpus_of "$name")"
    done
    [ $found -eq 1 ]
}

# The interface's document against the code, and what linters, generators and a browser make of it; these come from npm,
# and where it cannot be reached the step counts as skipped once the rest has passed.
step_openapi() {
    build dev
    CUBBY_BINARY=$root/build/dev/cubby run_pytest -m "not npm" tests/openapi
    tests/openapi/tools.sh build/openapi || return $?
    CUBBY_OPENAPI_TOOLS=$root/build/openapi CUBBY_BINARY=$root/build/dev/cubby run_pytest -m npm -rs tests/openapi
}

# The seeds of a fuzz target, where it has some: tests/fuzz/corpus/NAME without fuzz_.
corpus_of() {
    local seeds=tests/fuzz/corpus/${1#fuzz_}
    [ -d "$seeds" ] || { seeds=build/fuzz/empty && mkdir -p "$seeds"; }
    printf '%s' "$seeds"
}

# What an operator's tools meet: the probe, the service manager's protocol, the files of deploy/.
step_packaging() {
    build dev
    CUBBY_BINARY=$root/build/dev/cubby run_pytest tests/packaging
}

# Manifests, chart, alerts and dashboard, by the real tools.
step_deploy() {
    build dev
    CUBBY_BINARY=$root/build/dev/cubby tests/deploy/run.sh
}

# Debian 13 in a folder: the image's steps, the package, TLS to Redis, the tests. Needs root, leave to mount and a mirror,
# and counts as skipped where one of them is missing.
step_debian13() {
    tests/packaging/debian13.sh
}

# ---- Their order ----

for step in "${wanted[@]}"; do
    if ! declare -F "step_${step//-/_}" >/dev/null; then
        echo "no step $step" >&2
        exit 2
    fi
done
mkdir -p "$logs"
# shellcheck disable=SC2086 # lists of words
install_missing $BUILD_PACKAGES $TEST_PACKAGES

# The longest begins first. What has the processor busy goes one after the other beside it; then all that waits.
lanes=2
start debian13 unit stress
lanes=4
start http fault-redis race http-redis-sentinel history http-redis http-redis-cluster openapi http-memcached \
    http-memcached-3 fault-memcached packaging fuzz smoke deploy
end_all

printf '\n==== summary after %d s: how it went, seconds, seconds of the processor\n' "$SECONDS"
printf '%s\n' "${summary[@]}"
[ $failures -eq 0 ] || {
    echo "$failures of ${#summary[@]} steps failed" >&2
    exit 1
}
