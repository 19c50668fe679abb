#!/bin/bash
# Debian 13 in a folder: the Dockerfile's own steps, the image that comes of them, the package, and the tests that
# depend on the release (newer libmicrohttpd, hiredis with TLS). No container engine takes part.
#
#   tests/packaging/debian13.sh             everything
#   tests/packaging/debian13.sh image deb   only these parts: image, deb, tls, suite
#
# The folder (build/debian13, or CUBBY_DEBIAN13) is kept for the next run; without it the first one makes it from the
# mirror that apt is configured with here. It holds
#
#   base     what debootstrap made
#   work     base with the build's and the tests' packages, the tree in /src, the image in /image
#   install  a fresh copy of base, into which the package is installed
#
# Skips with 77 where there is no root, no mirror of Debian or no leave to mount. All mounts and processes live in
# namespaces of their own and end with the script, however it ends.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"
# shellcheck source=tests/packaging/mirror.sh
. "$root/tests/packaging/mirror.sh"

cache=${CUBBY_DEBIAN13:-$root/build/debian13}
release=trixie
dockerfile=deploy/container/Dockerfile

skip() {
    echo "skipped: $*" >&2
    exit 77
}

# timed NAME COMMAND...: output goes to a log, of which a failure shows the end.
timed() {
    local name=$1 began=$SECONDS status=0
    shift
    mkdir -p "$cache/logs"
    # A subshell of its own keeps -e alive inside the function.
    set +e
    (
        set -e
        "$@"
    ) >"$cache/logs/$name.log" 2>&1
    status=$?
    set -e
    if [ $status -ne 0 ]; then
        tail -n 60 "$cache/logs/$name.log"
        printf 'FAILED   %4d s  %s (status %d)\n' $((SECONDS - began)) "$name" $status
        exit 1
    fi
    printf 'passed   %4d s  %s\n' $((SECONDS - began)) "$name"
}

# inside FOLDER COMMAND...: as root in the folder, with nothing of this environment.
inside() {
    local folder=$1
    shift
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PYTHONDONTWRITEBYTECODE=1 chroot "$folder" "$@"
}

# ---- The folders ----

write_sources() {
    local security
    security=$(debian_mirror "$VERSION_CODENAME-security")
    {
        echo "deb $mirror $release main"
        [ -z "$security" ] || echo "deb $security $release-security main"
    } >"$cache/base/etc/apt/sources.list"
    apt-config dump | grep -E '^Acquire::(http|https|ftp)::(Proxy|proxy)' >"$cache/base/etc/apt/apt.conf.d/90proxy" || true
    printf 'Acquire::Languages "none";\n' >"$cache/base/etc/apt/apt.conf.d/90small"
}

make_base() {
    rm -rf "$cache/base" "$cache/work"
    mkdir -p "$cache/base"
    debootstrap --variant=minbase "$release" "$cache/base" "$mirror"
    write_sources
    cp -L /etc/resolv.conf "$cache/base/etc/resolv.conf"
    inside "$cache/base" apt-get -q update
    inside "$cache/base" apt-get -q -y dist-upgrade
    touch "$cache/base.done"
}

prepare() {
    [ -e "$cache/base.done" ] || timed debootstrap make_base
    if [ ! -d "$cache/work" ]; then
        cp -a "$cache/base" "$cache/work.new"
        mv "$cache/work.new" "$cache/work"
    fi
    cp -L /etc/resolv.conf "$cache/work/etc/resolv.conf"
    enter "$cache/work"
}

# enter FOLDER: what programs expect of a running system.
enter() {
    mount -t proc proc "$1/proc"
    mount --bind /dev "$1/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
}

# ---- The Dockerfile's steps ----

# What a build's context would be: the tree without what .dockerignore names.
copy_context() {
    mkdir -p "$cache/context"
    rm -rf "$cache/context"
    mkdir "$cache/context"
    grep -v '^#' .dockerignore >"$cache/ignored"
    tar -c --exclude-from="$cache/ignored" . | tar -x -C "$cache/context"
}

# Copies over what is there, so that what was built before is only built again where it changed: what did has the time of
# now, as it may be older than what was built of the file before it. A file that is gone from the tree goes.
copy_step() {
    local target=$cache/work$1/$3 file
    while IFS= read -r -d '' file; do
        cmp -s "$cache/context/$file" "$target/${file#"$2"/}" || touch "$cache/context/$file"
    done < <(cd "$cache/context" && find "$2" -type f -print0)
    if [ "$2" = . ]; then
        find "$target" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    fi
    if [ -d "$cache/context/$2" ]; then
        mkdir -p "$target"
        cp -a "$cache/context/$2/." "$target"
    else
        mkdir -p "$(dirname -- "$target")"
        cp -a "$cache/context/$2" "$target"
    fi
}

run_dockerfile() {
    local folder=/ word rest step=0
    copy_context
    rm -rf "$cache/work/image"
    while IFS=$'\t' read -r word rest; do
        echo "==== $word $rest"
        case $word in
        WORKDIR)
            folder=$rest
            mkdir -p "$cache/work$folder"
            ;;
        COPY)
            copy_step "$folder" "${rest%%$'\t'*}" "${rest#*$'\t'}"
            ;;
        RUN)
            inside "$cache/work" /bin/sh -c "cd $folder && $rest" </dev/null
            ;;
        *)
            return 1
            ;;
        esac
        step=$((step + 1))
    done < <(python3 tests/packaging/dockerfile_steps.py "$dockerfile" build)
    [ $step -ge 5 ]
}

# ---- What is looked at ----

install_tools() {
    # shellcheck disable=SC2016,SC2086 # the inner shell expands it
    inside "$cache/work" sh -c '. /src/deploy/packages.sh && install_missing $BUILD_PACKAGES $TEST_PACKAGES $PACKAGING_PACKAGES iproute2'
}

# In a network of its own: the image listens on all addresses.
run_pytest() {
    unshare --net env -i PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
        CUBBY_BINARY=/src/build/package/cubby CUBBY_IMAGE=/image.ro ${engine:+CUBBY_TEST_ENGINE=$engine} \
        chroot "$cache/work" sh -c 'ip link set lo up && ip address add 10.254.0.1/32 dev lo && cd /src && exec "$@"' sh \
        /usr/bin/python3 -m pytest -q -p no:cacheprovider "$@"
}

test_image() {
    mkdir -p "$cache/work/image.ro"
    mount --bind "$cache/work/image" "$cache/work/image.ro"
    mount -o remount,bind,ro "$cache/work/image.ro"
    run_pytest -ra tests/packaging/test_image.py
}

build_deb() {
    inside "$cache/work" /src/deploy/debian/build.sh
}

test_deb() {
    rm -rf "$cache/install"
    cp -a "$cache/base" "$cache/install"
    cp -L /etc/resolv.conf "$cache/install/etc/resolv.conf"
    enter "$cache/install"
    # Packages that were fetched before need not be fetched again.
    mkdir -p "$cache/archives/partial"
    mount --bind "$cache/archives" "$cache/install/var/cache/apt/archives"
    tests/packaging/test_deb.sh "$cache/install" "$(ls "$cache"/work/src/build/package/*.deb)" "$cache/work"
}

# The pages' commands say nothing of the release.
test_tools() {
    run_pytest -ra tests/packaging --ignore=tests/packaging/test_image.py --ignore=tests/packaging/test_redis_tls.py \
        --ignore=tests/packaging/test_pages.py
}

test_tls() {
    run_pytest -ra tests/packaging/test_redis_tls.py
    # On this release TLS is there: a skipped test would prove nothing.
    if grep -q ' skipped' "$cache/logs/tls.log"; then
        return 1
    fi
    engine=redis-tls run_pytest tests/http/test_put.py tests/http/test_read.py tests/http/test_conditions.py \
        tests/http/test_delete_patch.py tests/http/test_flush.py tests/http/test_keys.py tests/http/test_shared.py
}

# The units and the contract on the libraries of this release, then the HTTP suite: on the memory engine, as TLS's part has
# met Redis. Sentinels, clusters and several memcached servers are the same programs, and tests/run.sh has them.
test_suite() {
    # shellcheck disable=SC2016 # the inner shell expands it
    inside "$cache/work" env CUBBY_WERROR=ON sh -euc 'cd /src && cmake --preset dev && cmake --build build/dev -j "$(nproc)" &&
        ctest --test-dir build/dev --output-on-failure --no-tests=error -j "$(nproc)" \
            -E "contract_(redis_sentinel|redis_cluster|memcached_3)"'
    inside "$cache/work" env CUBBY_TEST_ENGINE=memory CUBBY_BINARY=/src/build/dev/cubby \
        ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
        sh -euc 'cd /src && exec /usr/bin/python3 -m pytest -q -p no:cacheprovider --durations=5 tests/http'
}

is_wanted() {
    local part
    [ ${#wanted[@]} -gt 0 ] || return 0
    for part in "${wanted[@]}"; do
        [ "$part" != "$1" ] || return 0
    done
    return 1
}

run_parts() {
    cd "$root"
    prepare
    timed dockerfile run_dockerfile
    timed tools install_tools
    if is_wanted image; then
        timed image test_image
    fi
    if is_wanted deb; then
        timed build-deb build_deb
        timed deb test_deb
        timed packaging test_tools
    fi
    if is_wanted tls; then
        timed tls test_tls
    fi
    if is_wanted suite; then
        timed suite test_suite
    fi
}

# ---- Outside of the namespaces ----

wanted=("$@")
# shellcheck source=/dev/null
. /etc/os-release
mirror=$(debian_mirror "${VERSION_CODENAME:-}")
if [ "${CUBBY_DEBIAN13_INSIDE:-}" != yes ]; then
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    if [ "${ID:-}" != debian ] || [ -z "$mirror" ]; then
        skip "apt is not configured with a mirror of Debian"
    fi
    unshare --mount --pid --fork --net true 2>/dev/null || skip "no leave to make namespaces"
    install_missing debootstrap python3
    mkdir -p "$cache"
    CUBBY_DEBIAN13_INSIDE=yes exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi
run_parts
