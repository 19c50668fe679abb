#!/bin/sh
# Installs the tools of tests/openapi/package-lock.json into FOLDER (build/openapi). Ends with 77 where npm is missing or
# cannot reach its registry; any other failure, such as a checksum that differs, is one.
#
#   tests/openapi/tools.sh [FOLDER]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=${1:-$here/../../build/openapi}
log=$folder/npm.log

mkdir -p "$folder"
if ! command -v npm >/dev/null 2>&1; then
    echo "skipped: no npm" >&2
    exit 77
fi
if cmp -s "$here/package-lock.json" "$folder/package-lock.json" && [ -f "$folder/complete" ]; then
    exit 0
fi
rm -f "$folder/complete"
cp "$here/package.json" "$here/package-lock.json" "$folder/"
status=0
(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund) >"$log" 2>&1 || status=$?
if [ $status -ne 0 ]; then
    tail -n 20 "$log" >&2
    if grep -Eq 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT' "$log"; then
        echo "skipped: npm cannot reach its registry" >&2
        exit 77
    fi
    exit 1
fi
: >"$folder/complete"
