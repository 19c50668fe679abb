#!/bin/sh
# Collects the root of the final image: the program, stripped; every shared library that it and the SASL mechanisms
# load, as the dynamic linker finds them here; certificate authorities; the few files of /etc that a C library reads;
# of each package that something came from its copyright and its entry in dpkg's list, for those who scan images; and the
# terms of the program itself and of the viewer inside it.
#
#   collect.sh PROGRAM FOLDER     FOLDER must not exist
set -eu

program=$1
image=$2
user=10001

fail() {
    echo "collect.sh: $*" >&2
    exit 1
}

# The path of $1 with the links among its folders resolved: /lib is /usr/lib.
resolve() {
    printf '%s/%s' "$(realpath -- "$(dirname -- "$1")")" "$(basename -- "$1")"
}

# take FILE: copies it to where it stands, a link as what it points to, and notes the package it came from.
take() {
    take_to=$(resolve "$1")
    [ ! -e "$image$take_to" ] || return 0
    mkdir -p "$image$(dirname -- "$take_to")"
    cp -L -- "$1" "$image$take_to"
    note_package "$(realpath -- "$1")"
}

note_package() {
    # dpkg may know a file by its path before /lib became /usr/lib.
    note_owner=$(dpkg-query -S "$1" 2>/dev/null || dpkg-query -S "${1#/usr}" 2>/dev/null) || fail "no package owns $1"
    note_owner=${note_owner%%: *}
    note_owner=${note_owner%%:*}
    note_info=$image/var/lib/dpkg/status.d/$note_owner
    [ ! -e "$note_info" ] || return 0
    mkdir -p "$image/var/lib/dpkg/status.d" "$image/usr/share/doc/$note_owner"
    dpkg-query -s "$note_owner" >"$note_info"
    cp -L "/usr/share/doc/$note_owner/copyright" "$image/usr/share/doc/$note_owner/copyright"
}

# take_libraries FILE: what ldd finds for it. "not found" is a failure here, not at the first start.
take_libraries() {
    ldd_says=$(ldd "$1") || fail "ldd $1"
    case $ldd_says in *"not found"*) fail "$1: $ldd_says" ;; esac
    for library in $(printf '%s\n' "$ldd_says" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }'); do
        take "$library"
    done
}

take_sasl() {
    modules=$(dpkg-query -L libsasl2-modules | grep '/sasl2/.*\.so$') || fail "no SASL modules"
    for module in $modules; do
        take "$module"
        take_libraries "$module"
    done
}

take_authorities() {
    bundle=/etc/ssl/certs/ca-certificates.crt
    [ -s "$bundle" ] || fail "no $bundle"
    mkdir -p "$image/etc/ssl/certs" "$image/usr/lib/ssl"
    cp -L "$bundle" "$image$bundle"
    note_package /usr/sbin/update-ca-certificates
    [ ! -e /etc/ssl/openssl.cnf ] || cp -L /etc/ssl/openssl.cnf "$image/etc/ssl/openssl.cnf"
    # Where OpenSSL looks by itself.
    ln -s /etc/ssl/certs "$image/usr/lib/ssl/certs"
    ln -s /etc/ssl/openssl.cnf "$image/usr/lib/ssl/openssl.cnf"
    ln -s "$bundle" "$image/usr/lib/ssl/cert.pem"
}

take_terms() {
    tree=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
    mkdir -p "$image/usr/share/doc/cubby/viewer"
    cp "$tree/deploy/debian/copyright" "$image/usr/share/doc/cubby/copyright"
    for file in LICENSE NOTICE swagger-ui-bundle.js.LICENSE.txt; do
        cp "$tree/openapi/viewer/$file" "$image/usr/share/doc/cubby/viewer/$file"
    done
}

write_etc() {
    printf 'root:x:0:0:root:/:/nonexistent\ncubby:x:%d:%d:cubby:/:/nonexistent\n' $user $user >"$image/etc/passwd"
    printf 'root:x:0:\ncubby:x:%d:\n' $user >"$image/etc/group"
    printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$image/etc/nsswitch.conf"
    cp -L /etc/os-release "$image/etc/os-release"
}

[ -x "$program" ] || fail "no program at $program"
[ ! -e "$image" ] || fail "$image is there already"
umask 022
mkdir -p "$image/usr/bin" "$image/usr/lib" "$image/etc"
for folder in bin lib lib64; do
    [ ! -L "/$folder" ] || { mkdir -p "$image/usr/$folder" && ln -s "usr/$folder" "$image/$folder"; }
done
strip --strip-unneeded -o "$image/usr/bin/cubby" "$program"
chmod 755 "$image/usr/bin/cubby"
take_libraries "$program"
take_sasl
take_authorities
take_terms
write_etc
echo "$image: $(find "$image" -type f | wc -l) files, $(du -sk "$image" | cut -f1) KiB"
