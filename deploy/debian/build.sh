#!/bin/sh
# Builds the Debian package of the tree as it stands into build/package, on the release it is meant for.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"

# shellcheck disable=SC2086 # lists of words
install_missing $BUILD_PACKAGES dpkg-dev file gzip
cd "$root"
cmake --preset release -B build/package -D CMAKE_INSTALL_PREFIX=/usr
cmake --build build/package
rm -f build/package/*.deb
(cd build/package && cpack -G DEB)
ls build/package/*.deb
