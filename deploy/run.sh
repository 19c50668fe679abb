#!/bin/sh
# Builds the service where that is still to be done and serves on 127.0.0.1:8080 with the memory engine.
#
# Wants a Debian 12 or 13 with root or sudo; installs the packages that are missing. Settings are environment
# variables (build/release/cubby --help lists them): HTTP_PORT=9000 deploy/run.sh
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"

# shellcheck disable=SC2086 # a list of words
install_missing $BUILD_PACKAGES

cd "$root"
cmake --preset release >/dev/null
cmake --build build/release --target cubby >&2
exec build/release/cubby "$@"
