#!/bin/sh
# Writes cubby(1) to standard output: the page's frame with the settings of `cubby --help-markdown`, which come from the
# option table.
#
#   make.sh PROGRAM VERSION CONFIG_FOLDER
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
program=$1
version=$2
config_folder=$3

# The day of the newest entry of the changelog: the page is the same whenever it is made.
written=$(sed -n 's/^ -- .*>  //p' "$here/../debian/changelog" | head -n 1)
date=$(LC_ALL=C date -u -d "$written" +%Y-%m-%d)
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT

# A row is "| `NAME` | `default` | bounds | meaning |".
"$program" --help-markdown | awk '
    function plain(text) {
        gsub(/\\\|/, "|", text)
        gsub(/\\/, "\\e", text)
        gsub(/-/, "\\-", text)
        return text
    }
    function bold(text, out) {
        while (match(text, /`[^`]*`/)) {
            out = out plain(substr(text, 1, RSTART - 1)) "\\fB" plain(substr(text, RSTART + 1, RLENGTH - 2)) "\\fR"
            text = substr(text, RSTART + RLENGTH)
        }
        return out plain(text)
    }
    # Lines of their own for sentences, and none too long.
    function flow(text, count, words, i, line) {
        count = split(text, words, " ")
        for (i = 1; i <= count; i++) {
            line = line (line == "" ? "" : " ") words[i]
            if (words[i] ~ /[.]$/ || length(line) > 70 || i == count) {
                print (line ~ /^[.\047]/ ? "\\&" : "") line
                line = ""
            }
        }
    }
    /^## / { print ".SS " substr($0, 4) }
    /^\| `/ {
        row = substr($0, 3, length($0) - 4)
        count = split(row, cells, / *[|] */)
        if (count != 4) { print "not four cells: " $0 >"/dev/stderr"; exit 1 }
        print ".TP"
        print bold(cells[1]) (cells[2] == "" ? "" : " (" bold(cells[2]) ")")
        flow(bold(cells[4]))
        print ".br"
        flow("Bounds: " bold(cells[3]) ".")
        rows++
    }
    END { if (rows == 0) { print "no settings" >"/dev/stderr"; exit 1 } }
' >"$settings"
[ -s "$settings" ]

sed -e "/^@SETTINGS@\$/{
r $settings
d
}" -e "s/@DATE@/$date/; s/@VERSION@/$version/; s|@CONFIG_FOLDER@|$config_folder|" "$here/cubby.1.in"
