# packages.sh - the Debian packages (12 and 13) this project is built, tested and run with.
#
# To be sourced by the other scripts:
#   install_missing $BUILD_PACKAGES $TEST_PACKAGES
# installs those that are not there yet and does nothing, at once, when all are.
# shellcheck shell=sh disable=SC2034

# make: gcc's link-time optimisation uses it to work on several cores. libssl-dev: the TLS of hiredis, and what the
# pkg-config file of libmemcached asks for. libsasl2-modules: without it libmemcached cannot send a user's name and
# password, and every server seems to refuse them.
BUILD_PACKAGES="gcc libc6-dev cmake ninja-build make pkgconf libmicrohttpd-dev libjansson-dev libuv1-dev libsodium-dev \
libhiredis-dev libmemcached-dev libmimalloc-dev libgnutls28-dev libssl-dev libsasl2-modules"

# Real engines are part of the tests; their packages' own daemons stay off.
TEST_PACKAGES="libcriterion-dev curl python3 python3-pytest python3-jsonschema redis-server redis-sentinel redis-tools memcached prometheus openssl"

# What the image takes from its build stage beside the libraries.
IMAGE_PACKAGES="ca-certificates"

# What makes and judges the packages (deploy/debian, tests/packaging).
PACKAGING_PACKAGES="dpkg-dev file gzip lintian mandoc man-db systemd bash-completion openssl ca-certificates docker-compose"

package_is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        echo "This needs root or sudo: $*" >&2
        return 1
    fi
}

# apt-get install without starting what the packages would start. The policy
# that forbids it is taken away again, unless the machine had one of its own.
install_quietly() {
    # shellcheck disable=SC2016 # the inner shell expands it
    as_root env DEBIAN_FRONTEND=noninteractive sh -euc '
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap "rm -f $policy" EXIT
            trap "exit 130" HUP INT TERM
            printf "#!/bin/sh\nexit 101\n" >"$policy"
            chmod 755 "$policy"
        fi
        apt-get -q -o DPkg::Lock::Timeout=300 update
        apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "$@"
        for package in "$@"; do
            case $package in
            redis-server | redis-sentinel | memcached | prometheus | nginx* | webdis) update-rc.d "$package" disable >/dev/null 2>&1 || true ;;
            esac
        done
    ' install "$@"
}

install_missing() {
    missing=
    for package in "$@"; do
        package_is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "Installing:$missing" >&2
    # shellcheck disable=SC2086 # a list of words
    install_quietly $missing >&2
}
