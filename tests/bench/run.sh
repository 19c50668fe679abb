#!/bin/sh
# Measures the service beside its yardsticks and prints Markdown tables: target, measured, reached.
#
#   tests/bench/run.sh                        the memory engine, about 10 minutes
#   tests/bench/run.sh --quick                3 rounds of 1 s, to see that it works
#   tests/bench/run.sh --engine memory redis memcached --write
#                                             all, and into tests/bench/RESULTS.md
#   tests/bench/run.sh --binary FILE ...      another build of the service
#   tests/bench/run.sh --loops ...            the study of event loops and library options (loops/)
#
# Installs what is missing and builds the release. All servers listen on 127.0.0.1 on free ports, with files in a
# temporary folder. Ends with status 0 whatever the figures are; only a measurement that failed is an error.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"
# The system's own, whatever else the path offers.
python=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1

bench_packages="python3 wrk nginx-light redis-server redis-tools memcached webdis"

if [ "${1:-}" = --loops ]; then
    shift
    # shellcheck disable=SC2086 # a list of words
    install_missing $BUILD_PACKAGES $bench_packages libev-dev
    exec "$python" "$root/tests/bench/loops/compare.py" "$@"
fi

# shellcheck disable=SC2086 # a list of words
install_missing $BUILD_PACKAGES $bench_packages

case " $* " in
*" --binary "* | *" --binary="* | *" --help "* | *" -h "*) exec "$python" "$root/tests/bench/bench.py" "$@" ;;
esac

cd "$root"
cmake --preset release >/dev/null
cmake --build build/release --target cubby >&2
exec "$python" tests/bench/bench.py --binary build/release/cubby "$@"
