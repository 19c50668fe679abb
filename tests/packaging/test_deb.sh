#!/bin/bash
# Installs the package into a folder with a bare Debian, runs the service as its unit says, removes and purges it.
#
#   test_deb.sh FOLDER PACKAGE TOOLS    TOOLS: a folder with a Debian that has lintian, man, mandoc and systemd-analyze,
#                                       and in /src the tree that the package was built from
#
# FOLDER is changed for good; no service manager runs in it, so the unit's commands are run as it would.
set -euo pipefail
cd "$(dirname -- "$0")/../.."

folder=$1
package=$2
tools=$3
unit=$folder/usr/lib/systemd/system/cubby.service
output=$(mktemp)
process=

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

finish() {
    [ -z "$process" ] || kill -KILL "$process" 2>/dev/null || true
    rm -f "$output"
}
trap finish EXIT

inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive chroot "$folder" "$@"
}

with_tools() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root chroot "$tools" "$@"
}

# Every file that is there, without those of dpkg, apt and the debconf that record what happened, and what is mounted.
list_files() {
    (cd "$folder" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/apt \
        -o -path ./tmp -o -path ./proc -o -path ./dev \) -prune -o -print) | sort
}

# ---- The package as a file ----

cp "$package" "$tools/tmp/cubby.deb"
with_tools lintian --fail-on error,warning --suppress-tags non-standard-file-perm /tmp/cubby.deb
dpkg-deb -f "$package" Depends | grep -q 'libmicrohttpd12' || fail "no dependency on libmicrohttpd"
dpkg-deb -f "$package" Depends | grep -qE 'libhiredis[0-9.]+' || fail "no dependency on hiredis"
cp -r "$tools/src/build/package/documents" "$tools/tmp/documents"
with_tools sh -euc '
    mandoc -T lint -W warning /tmp/documents/cubby.1.gz
    zcat /tmp/documents/cubby.1.gz >/tmp/cubby.1
    # The formatter speaks on standard error only.
    man --warnings -l -E UTF-8 -Tutf8 -Z /tmp/cubby.1 2>/tmp/warnings >/dev/null
    [ ! -s /tmp/warnings ] || { cat /tmp/warnings; exit 1; }
'
exposure=$(with_tools systemd-analyze security --offline=true /tmp/documents/cubby.service |
    sed -n 's/.*Overall exposure level for cubby.service: \([0-9.]*\).*/\1/p')
awk -v level="$exposure" 'BEGIN { exit !(level != "" && level <= 1.5) }' || fail "exposure ${exposure:-unknown}"
echo "exposure $exposure"

# As the page prints it, where the package was built; what it would do.
line=$(grep -m 1 '^sudo apt install ' docs/deployment.md)
with_tools sh -euc "cd /src && ${line#sudo } --simulate" | grep '^Inst cubby ' || fail "$line"

# ---- Install ----

cp "$package" "$folder/tmp/cubby.deb"
inside apt-get -q update
# What it depends on and nothing else, before the look at what is there: those packages stay when it goes.
inside apt-get -q -y --no-install-recommends -s install /tmp/cubby.deb | sed -n 's/^Inst \([^ ]*\).*/\1/p' | grep -v '^cubby$' |
    xargs -r env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$folder" \
        apt-get -q -y --no-install-recommends -o APT::Keep-Downloaded-Packages=true install
list_files >"$output.before"
inside apt-get -q -y --no-install-recommends install /tmp/cubby.deb
inside dpkg --verify cubby
[ "$(inside cubby --version | head -n 1)" = "cubby $(dpkg-deb -f "$package" Version)" ] || fail "another version"
inside cubby --check
[ "$(stat -c '%a %U' "$folder/etc/cubby/cubby.env")" = "600 root" ] || fail "settings that others can read"
# shellcheck disable=SC2016 # dpkg-query expands it
grep -q '/etc/cubby/cubby.env' <(inside dpkg-query -W -f '${Conffiles}' cubby) || fail "cubby.env is no conffile"
[ -L "$folder/etc/systemd/system/multi-user.target.wants/cubby.service" ] || fail "not enabled"

# ---- Run it as the unit says ----

value_of() {
    sed -n "s/^$1=//p" "$unit"
}

start_service() {
    local -a settings
    mapfile -t settings < <(grep -E '^[A-Z_]+=' "$folder$(value_of EnvironmentFile | sed 's/^-//')")
    : >"$output"
    # DynamicUser, NoNewPrivileges.
    env -i PATH=/usr/sbin:/usr/bin "${settings[@]}" setpriv --no-new-privs \
        chroot --userspec=61234:61234 --groups= "$folder" "$(value_of ExecStart)" >"$output" 2>&1 &
    process=$!
    for _ in $(seq 100); do
        ! grep -q '"msg":"listening"' "$output" || return 0
        kill -0 "$process" 2>/dev/null || break
        sleep 0.1
    done
    cat "$output"
    fail "it does not listen"
}

printf 'HTTP_PORT=0\nLOG_LEVEL=info\n' >>"$folder/etc/cubby/cubby.env"
start_service
port=$(sed -n 's/.*"msg":"listening".*"port":\([0-9]*\).*/\1/p' "$output")
inside cubby --probe "http://127.0.0.1:$port"
inside cubby --probe "http://127.0.0.1:$port/healthz"
! inside cubby --probe "http://127.0.0.1:$port/nothing" 2>/dev/null || fail "a probe of nothing is good"
# ExecReload and the stop.
value_of ExecReload | grep -q 'kill -HUP' || fail "no reload"
kill -HUP "$process"
for _ in $(seq 50); do
    ! grep -q '"msg":"settings read again"' "$output" || break
    sleep 0.1
done
grep -q '"msg":"settings read again"' "$output" || fail "not read again"
kill -TERM "$process"
wait "$process" || fail "status $? on SIGTERM: $(cat "$output")"
process=
! inside cubby --probe "http://127.0.0.1:$port" 2>/dev/null || fail "a probe of a stopped service is good"

# ---- Settings survive; purge leaves nothing ----

inside apt-get -q -y --no-install-recommends install --reinstall /tmp/cubby.deb
grep -q '^HTTP_PORT=0$' "$folder/etc/cubby/cubby.env" || fail "an installation took changed settings away"
inside apt-get -q -y remove cubby
[ ! -e "$folder/usr/bin/cubby" ] || fail "the program stayed"
grep -q '^HTTP_PORT=0$' "$folder/etc/cubby/cubby.env" || fail "removal took the settings away"
inside apt-get -q -y purge cubby
list_files >"$output.after"
left=$(diff "$output.before" "$output.after") || { rm -f "$output".*; fail "left behind, or taken: $left"; }
rm -f "$output".*
echo "installed, served, reloaded, stopped, removed and purged"
