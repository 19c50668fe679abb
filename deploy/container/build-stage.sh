#!/bin/sh
# The steps of the Dockerfile's first stage, from the root of the tree on a bare Debian as root.
#
#   build-stage.sh packages   installs what the build needs
#   build-stage.sh build      builds the release into build/package
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"
cd "$root"

case ${1-} in
packages)
    # shellcheck disable=SC2086 # lists of words
    install_missing $BUILD_PACKAGES $IMAGE_PACKAGES
    ;;
build)
    cmake --preset release -B build/package -D CMAKE_INSTALL_PREFIX=/usr
    cmake --build build/package --target cubby
    ;;
*)
    echo "usage: build-stage.sh packages | build" >&2
    exit 64
    ;;
esac
