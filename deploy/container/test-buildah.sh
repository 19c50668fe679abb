#!/bin/bash
# Builds the image from the Dockerfile with buildah and runs it with podman, both from Debian's packages, on a base image
# made from the folder of tests/packaging/debian13.sh: no registry is asked.
#
#   deploy/container/test-buildah.sh
#
# Skips with 77 where buildah or podman is not installed, there is no root, or the machine does not let them work; says
# which. Images are kept in build/debian13/storage while it runs and go with it.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cache=${CUBBY_DEBIAN13:-$root/build/debian13}
storage=$cache/storage
base=localhost/cubby-base:trixie
image=localhost/cubby:test
common=(--storage-driver vfs --root "$storage/root" --runroot "$storage/run")
container=

skip() {
    echo "skipped: $*" >&2
    exit 77
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

clean() {
    [ -z "$container" ] || in_podman rm -f -t 0 "$container" >/dev/null 2>&1 || true
    buildah "${common[@]}" rm -a >/dev/null 2>&1 || true
    # What is still mounted must not be walked into; and podman's monitor may write a last word.
    for _ in 1 2 3; do
        if grep -q " $storage/" /proc/self/mounts || rm -rf "$storage" 2>/dev/null; then
            break
        fi
        sleep 1
    done
}

# The base image: the folder as one layer.
import_base() {
    local working
    working=$(buildah "${common[@]}" from scratch)
    tar -C "$cache/base" -c . >"$storage/base.tar"
    buildah "${common[@]}" add -q "$working" "$storage/base.tar" / >/dev/null
    rm -f "$storage/base.tar"
    buildah "${common[@]}" commit -q "$working" "$base" >/dev/null
    buildah "${common[@]}" rm "$working" >/dev/null
}

# printed VERB: the words of the README's `docker VERB`, one a line, without those two.
printed() {
    awk -v verb="$1" '$1 == "docker" && $2 == verb { on = 1 }
        on { more = sub(/\\$/, ""); for (i = 1; i <= NF; i++) print $i; if (!more) exit }' deploy/container/README.md |
        tail -n +3
}

# As the README prints it, on a base that is here.
build() {
    local -a words
    mapfile -t words < <(printed build)
    [ "${#words[@]}" -ge 5 ] || fail "the README has no docker build"
    buildah "${common[@]}" build --isolation chroot --network host --format docker --pull=never \
        --build-arg "BASE=$base" --build-arg REVISION=test -t "$image" "${words[@]}"
}

# expect WHAT TEMPLATE VALUE: of the image's configuration.
expect() {
    local is
    is=$(podman "${common[@]}" image inspect --format "$2" "$image")
    [ "$is" = "$3" ] || fail "$1 is $is, not $3"
}

check_configuration() {
    expect user '{{.Config.User}}' 10001:10001
    expect entrypoint '{{json .Config.Entrypoint}}' '["/usr/bin/cubby"]'
    expect "health check" '{{json .HealthCheck.Test}}' '["CMD","/usr/bin/cubby","--probe"]'
    expect port '{{json .Config.ExposedPorts}}' '{"8080/tcp":{}}'
    expect revision '{{index .Config.Labels "org.opencontainers.image.revision"}}' test
    expect version '{{index .Config.Labels "org.opencontainers.image.version"}}' \
        "$(sed -n 's/^project(cubby VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)"
    podman "${common[@]}" image inspect --format '{{json .Config.Env}}' "$image" | grep -q '"HTTP_HOST=0.0.0.0"' ||
        fail "HTTP_HOST is not set"
}

in_podman() {
    podman "${common[@]}" --cgroup-manager cgroupfs --events-backend file "$@"
}

# The runtime wants the second version of control groups alone, and limits that it may set. Only this script's mount
# namespace changes.
suit_runtime() {
    if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
        umount -R /sys/fs/cgroup || return 1
        mount -t cgroup2 cgroup2 /sys/fs/cgroup || return 1
    fi
}

# As the README prints it: without capabilities, or a root that can be written; but also without a network, and therefore
# a port. The health check is run by hand: podman leaves its turns to systemd.
run_image() {
    local files
    local -a words
    mapfile -t words < <(printed run | sed -e '/^-p$/,+1d' -e '$d')
    [[ " ${words[*]} " == *" --read-only "* && " ${words[*]} " == *" --cap-drop=ALL "* ]] || fail "the README has no docker run"
    files=$(ulimit -Hn)
    suit_runtime || return 77
    container=$(in_podman run -d --network none --cgroups disabled --read-only-tmpfs=false "${words[@]}" --no-healthcheck \
        --ulimit "nofile=$files:$files" --ulimit nproc=1024:1024 --log-driver k8s-file "$image") || return 77
    for _ in $(seq 50); do
        ! is_healthy || return 0
        sleep 0.2
    done
    in_podman logs "$container"
    return 1
}

is_healthy() {
    local -a command
    mapfile -t command < <(podman "${common[@]}" image inspect --format '{{range .HealthCheck.Test}}{{println .}}{{end}}' \
        "$image" | sed -e '/^$/d' -e 1d)
    in_podman exec "$container" "${command[@]}"
}

[ "$(id -u)" -eq 0 ] || skip "needs root"
for program in buildah podman; do
    command -v $program >/dev/null 2>&1 || skip "$program is not installed"
done
[ -e "$cache/base.done" ] || skip "no base: run tests/packaging/debian13.sh first"
unshare --mount true 2>/dev/null || skip "no leave to make namespaces"
if [ "${CUBBY_BUILDAH_INSIDE:-}" != yes ]; then
    # Mounts of its own, that end with it.
    CUBBY_BUILDAH_INSIDE=yes exec unshare --mount "$0" "$@"
fi
cd "$root"
mkdir -p "$storage"
trap clean EXIT
import_base || skip "buildah cannot work with layers here"
echo "imported $base"
build
echo "built $image"
check_configuration
echo "its configuration is the Dockerfile's"
status=0
run_image || status=$?
[ $status -ne 77 ] || skip "built and checked, but podman cannot start a container here"
[ $status -eq 0 ] || fail "it does not get ready"
! in_podman exec "$container" /bin/sh -c true 2>/dev/null || fail "there is a shell in the image"
in_podman stop -t 45 "$container" >/dev/null
[ "$(in_podman inspect --format '{{.State.ExitCode}}' "$container")" = 0 ] || fail "it did not end with 0"
echo "it ran read-only and without capabilities, was healthy, and ended with 0"
