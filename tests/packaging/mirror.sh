# mirror.sh - to be sourced: where this machine's apt takes Debian from, and the same for another release.
# shellcheck shell=bash

# Prints "URI suite" for each source of binary packages, of both kinds of file (sources.list(5)).
apt_sources() {
    local folder=${1:-/etc/apt}
    find "$folder/sources.list" "$folder/sources.list.d" -maxdepth 1 -name '*.list' -type f 2>/dev/null | sort |
        xargs -r cat | sed -e 's/#.*//' -e 's/\[[^]]*\]//' | awk '$1 == "deb" { print $2, $3 }'
    find "$folder/sources.list.d" -maxdepth 1 -name '*.sources' -type f 2>/dev/null | sort | while read -r file; do
        # A stanza ends with an empty line.
        sed -e '/^#/d' "$file" | awk '
            function flush(i, j, n, m, u, s) {
                if (types ~ /(^| )deb( |$)/ && enabled != "no") {
                    n = split(uris, u, " "); m = split(suites, s, " ")
                    for (i = 1; i <= n; i++) for (j = 1; j <= m; j++) print u[i], s[j]
                }
                types = uris = suites = enabled = ""
            }
            /^[ \t]*$/ { flush(); next }
            { value = $0; sub(/^[^:]*:[ \t]*/, "", value) }
            tolower($1) == "types:" { types = value }
            tolower($1) == "uris:" { uris = value }
            tolower($1) == "suites:" { suites = value }
            tolower($1) == "enabled:" { enabled = tolower(value) }
            END { flush() }'
    done
}

# debian_mirror SUITE: the first URI of that suite, without a slash at its end.
debian_mirror() {
    apt_sources "${2:-/etc/apt}" | awk -v suite="$1" '$2 == suite { sub(/\/+$/, "", $1); print $1; exit }'
}
