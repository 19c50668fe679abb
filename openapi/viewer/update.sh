#!/bin/sh
# Fetches the viewer of the page from npm, as it was published, for keeping: a build needs no npm.
#
#   openapi/viewer/update.sh [VERSION]     without one, the newest
#
# After it: build, run tests/run.sh openapi, look at the page, and commit what changed.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
package=swagger-ui-dist@${1:-latest}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$folder"
# npm compares what it fetched with the registry's checksum; no script of the package is run.
npm pack --silent --ignore-scripts "$package" >name
archive=$(cat name)
tar xzf "$archive"
for file in swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css LICENSE NOTICE; do
    install -m 644 "package/$file" "$here/$file"
done
version=$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' package/package.json)
{
    echo "swagger-ui-dist $version"
    echo "https://registry.npmjs.org/swagger-ui-dist/-/$archive"
    echo "sha256 $(sha256sum "$archive" | cut -d ' ' -f 1)"
    echo "licence Apache-2.0 (LICENSE, NOTICE; parts by others: swagger-ui-bundle.js.LICENSE.txt)"
} >"$here/VERSION"
cat "$here/VERSION"
