#!/bin/bash
# All tests. Installs what is missing, builds what is needed under build/, prints a summary, and ends with a status
# other than 0 when anything failed. A step that could not run because its build failed counts as failed.
#
#   tests/run.sh            everything but debian13
#   tests/run.sh unit http  only these steps, see below for their names
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"
cd "$root"

python=/usr/bin/python3
jobs=$(nproc)
wanted=("$@")
summary=()
failures=0
built=no # by build_for_two

export CUBBY_WERROR=ON
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=second_deadlock_stack=1
export PYTHONDONTWRITEBYTECODE=1
# Settings of the caller's must not steer the tests.
unset "${!HTTP_@}" "${!CACHE_@}" "${!MEMORY_@}" "${!REDIS_@}" "${!MEMCACHED_@}" "${!LOG_@}"

is_wanted() {
    local step
    [ ${#wanted[@]} -gt 0 ] || return 0
    for step in "${wanted[@]}"; do
        [ "$step" != "$1" ] || return 0
    done
    return 1
}

# run_step NAME COMMAND...: runs it unless other steps were asked for, and notes how it went.
run_step() {
    local name=$1 began=$SECONDS status=0
    shift
    is_wanted "$name" || return 0
    printf '\n==== %s\n' "$name"
    # A subshell of its own keeps -e alive inside the function.
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    note_step "$name" $((SECONDS - began)) $status
}

# note_step NAME SECONDS STATUS
note_step() {
    if [ "$3" -eq 0 ]; then
        summary+=("$(printf 'passed   %4d s  %s' "$2" "$1")")
    elif [ "$3" -eq 77 ]; then
        summary+=("$(printf 'skipped  %4d s  %s' "$2" "$1")")
    else
        summary+=("$(printf 'FAILED   %4d s  %s (status %d)' "$2" "$1" "$3")")
        failures=$((failures + 1))
    fi
}

# Two steps at one time: for suites that mostly wait. Each one's output is shown when it has ended.
run_two() {
    local name pids=() names=() i
    mkdir -p build
    for name in "$@"; do
        is_wanted "$name" || continue
        names+=("$name")
        (
            began=$SECONDS status=0
            set +e
            (
                set -e
                "step_${name//-/_}"
            ) >"build/step-$name.log" 2>&1
            status=$?
            echo $((SECONDS - began)) >"build/step-$name.seconds"
            exit $status
        ) &
        pids+=($!)
    done
    for i in "${!names[@]}"; do
        local status=0
        wait "${pids[$i]}" || status=$?
        printf '\n==== %s\n' "${names[$i]}"
        cat "build/step-${names[$i]}.log"
        note_step "${names[$i]}" "$(cat "build/step-${names[$i]}.seconds")" $status
    done
}

# Runs a command with its output in a file, of which only a failure shows the end.
quietly() {
    local log=build/last-step.log status=0
    mkdir -p build
    "$@" >"$log" 2>&1 || status=$?
    [ $status -eq 0 ] || tail -n 60 "$log"
    return $status
}

# build PRESET ARGUMENT...
build() {
    local preset=$1
    shift
    quietly cmake --preset "$preset"
    quietly cmake --build "build/$preset" -j "$jobs" "$@"
}

run_pytest() {
    "$python" -m pytest -q -p no:cacheprovider --durations=5 "$@"
}

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

# The HTTP suite where it meets the engine, on each engine of tests/support/engines.py that is a server of its own; the
# corpus and the settings have nothing to do with the engine.
step_http_engine() {
    [ "$built" = yes ]
    CUBBY_TEST_ENGINE=$1 CUBBY_BINARY=$root/build/dev/cubby run_pytest tests/http --ignore=tests/http/test_corpus.py \
        --ignore=tests/http/test_settings.py --ignore=tests/http/test_header_room.py \
        --ignore=tests/http/test_slow_engine.py --ignore=tests/http/test_deadlines.py
}

step_http_redis() { step_http_engine redis; }
step_http_redis_sentinel() { step_http_engine redis-sentinel; }
step_http_redis_cluster() { step_http_engine redis-cluster; }
step_http_memcached() { step_http_engine memcached; }
step_http_memcached_3() { step_http_engine memcached-3; }

# Real servers that are killed, paused, moved and lied for.
step_fault_redis() {
    build dev
    CUBBY_BINARY=$root/build/dev/cubby run_pytest tests/fault/redis
}

step_fault_memcached() {
    [ "$built" = yes ]
    CUBBY_BINARY=$root/build/dev/cubby run_pytest tests/fault/memcached
}

# Steps that run side by side do not build.
build_for_two() {
    local name
    for name in http-redis http-redis-sentinel http-redis-cluster http-memcached http-memcached-3 fault-memcached; do
        if is_wanted "$name"; then
            built=no
            if (build dev); then built=yes; fi
            return 0
        fi
    done
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
        tests/http/test_listing.py
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

# Debian 13 in a folder: the image's steps, the package, TLS to Redis, the tests. Root, and a mirror for what is missing.
step_debian13() {
    tests/packaging/debian13.sh
}

# shellcheck disable=SC2086 # lists of words
install_missing $BUILD_PACKAGES $TEST_PACKAGES

run_step unit step_unit
run_step stress step_stress
run_step http step_http
build_for_two
run_two http-redis http-memcached
run_two http-redis-sentinel http-memcached-3
run_two http-redis-cluster fault-memcached
run_step fault-redis step_fault_redis
run_step history step_history
run_step race step_race
run_step smoke step_smoke
run_step fuzz step_fuzz
run_step openapi step_openapi
run_step packaging step_packaging
run_step deploy step_deploy
# Takes as long as half of all others together: only when it is asked for.
if [ ${#wanted[@]} -gt 0 ]; then
    run_step debian13 step_debian13
fi

printf '\n==== summary after %d s\n' "$SECONDS"
printf '%s\n' "${summary[@]}"
[ $failures -eq 0 ] || {
    echo "$failures of ${#summary[@]} steps failed" >&2
    exit 1
}
