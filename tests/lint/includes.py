#!/usr/bin/env python3
"""Rejects an #include that breaks the dependency rule.

    base <- config, engine.h, http <- routes <- main
    base <- routes/text <- routes
    base <- engine.h <- each engine

and each third-party header stays inside the one box that owns it.

usage: includes.py ROOT | includes.py --self-check
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

# The box of a path, first match wins.
BOXES = [
    ("main", re.compile(r"service/(main|service|notify|probe)\.[ch]$")),
    ("base", re.compile(r"service/base/")),
    ("config", re.compile(r"service/config/")),
    ("http", re.compile(r"service/http/")),
    ("text", re.compile(r"routes/text/")),
    ("routes", re.compile(r"routes/")),
    ("openapi", re.compile(r"openapi/")),
    ("registry", re.compile(r"engines/registry\.[ch]$")),
    ("memory", re.compile(r"engines/memory/")),
    ("redis", re.compile(r"engines/redis/")),
    ("memcached", re.compile(r"engines/memcached/")),
    ("primitives", re.compile(r"engines/primitives/")),
    ("engine", re.compile(r"engines/[^/]+$")),
]

ALLOWED = {
    "base": {"base"},
    "config": {"config", "base"},
    "http": {"http", "base"},
    "engine": {"engine", "base"},
    "primitives": {"primitives", "engine", "base"},
    "memory": {"memory", "primitives", "engine", "base"},
    "redis": {"redis", "primitives", "engine", "base"},
    "memcached": {"memcached", "primitives", "engine", "base"},
    "registry": {"registry", "memory", "redis", "memcached", "engine", "config", "base"},
    "openapi": {"openapi", "base"},
    "text": {"text", "base"},
    "routes": {"routes", "text", "openapi", "http", "engine", "config", "base"},
    "main": {"main", "routes", "openapi", "registry", "http", "engine", "config", "base"},
}

# Who may include a third-party header: paths that match.
OWNERS = [
    (re.compile(r"^microhttpd\.h$"), re.compile(r"service/http/")),
    (re.compile(r"^gnutls/"), re.compile(r"service/http/tls(_client)?\.c$")),
    (re.compile(r"^jansson\.h$"), re.compile(r"routes/|service/config/")),
    (re.compile(r"^uv\.h$"), re.compile(r"service/base/loop\.c$")),
    (re.compile(r"^hiredis\b"), re.compile(r"engines/redis/")),
    (re.compile(r"^libmemcached"), re.compile(r"engines/memcached/")),
]


def box_of(path):
    return next((box for box, pattern in BOXES if pattern.match(path)), None)


def faults_of(path, text):
    """What is wrong with the includes of one file; `path` is relative to the root."""
    box = box_of(path)
    if box is None:
        return [f"{path}: in no known box"]
    faults = []
    for quote, header in INCLUDE.findall(text):
        for pattern, owner in OWNERS:
            if pattern.search(header) and not owner.match(path):
                faults.append(f"{path}: {header} belongs to {owner.pattern}")
        if quote == '"':
            target = box_of(header)
            if target is None:
                faults.append(f'{path}: "{header}" is not a path from the root')
            elif target not in ALLOWED[box]:
                faults.append(f"{path}: {box} must not depend on {target} ({header})")
    return faults


def check(root):
    faults, count = [], 0
    for folder in ("service", "engines", "routes", "openapi"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".def") and path.is_file():
                count += 1
                faults += faults_of(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    if count == 0:
        faults.append(f"{root}: no sources found")
    return faults


# (path, text, whether it breaks the rule)
SELF_CHECK = [
    ("service/base/log.c", '#include "service/base/log.h"', False),
    ("service/base/log.c", '#include "service/config/settings.h"', True),
    ("service/base/loop.c", "#include <uv.h>", False),
    ("service/base/log.c", "#include <uv.h>", True),
    ("service/http/server.c", "#include <microhttpd.h>", False),
    ("routes/table.c", "#include <microhttpd.h>", True),
    ("routes/table.c", '#include "routes/text/path.h"', False),
    ("routes/text/path.c", '#include "service/base/bytes.h"', False),
    ("routes/text/path.c", '#include "routes/route.h"', True),
    ("routes/text/path.c", '#include "service/http/exchange.h"', True),
    ("routes/table.c", '#include "microhttpd.h"', True),
    ("routes/table.c", "  #  include <jansson.h>", False),
    ("service/http/server.c", "#include <jansson.h>", True),
    ("service/config/policies_read.c", "#include <jansson.h>", False),
    ("service/base/log.c", "#include <jansson.h>", True),
    ("routes/table.c", '#include "engines/engine.h"', False),
    ("routes/table.c", '#include "engines/memory/store.h"', True),
    ("engines/memory/store.c", '#include "engines/redis/pool.h"', True),
    ("engines/memory/store.c", '#include "service/http/exchange.h"', True),
    ("engines/redis/pool.c", "#include <hiredis/async.h>", False),
    ("engines/memory/store.c", "#include <hiredis/hiredis.h>", True),
    ("engines/memcached/worker.c", "#include <libmemcached/memcached.h>", False),
    ("engines/engine.c", "#include <libmemcached-1.0/memcached.h>", True),
    ("engines/engine.c", '#include "engines/memory/store.h"', True),
    ("engines/registry.c", '#include "service/config/settings.h"', False),
    ("engines/redis/pool.c", '#include "service/config/settings.h"', True),
    ("service/config/option.c", '#include "option.h"', True),
    ("service/main.c", '#include "routes/app.h"', False),
    ("service/main.c", '#include "service/service.h"', False),
    ("routes/table.c", '#include "service/service.h"', True),
    ("service/main.c", '#include "engines/redis/redis.h"', True),
    ("service/oddity/x.c", "", True),
]


def self_check():
    return [f"self-check: {path}: {text!r} was judged wrongly" for path, text, broken in SELF_CHECK
            if bool(faults_of(path, text)) != broken]


def main(arguments):
    if len(arguments) != 1:
        sys.exit(__doc__)
    faults = self_check() if arguments[0] == "--self-check" else check(pathlib.Path(arguments[0]))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
