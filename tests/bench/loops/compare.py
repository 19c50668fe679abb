#!/usr/bin/env python3
"""Compares the variants of the bare server (loops.h) with each other and with nginx.

    compare.py [--rounds N] [--seconds S] [--threads N] [--set NAME …] [--quick]

Prints one Markdown table for each set: CPU per request and its ratio to the set's first row."""

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from kit.load import Load, run_wrk  # noqa: E402
from kit.nginx import nginx_server, return_location  # noqa: E402
from kit.procs import Group, Server, free_port  # noqa: E402
from kit.rounds import interleave, median_of, median_ratio  # noqa: E402

# name -> (body bytes, [options of each contestant]); "nginx" is `return 200`, "nginx file" a file.
SETS = {
    "loop": (100, ["nginx", "loop=none", "loop=epoll", "loop=libev", "loop=libuv"]),
    "pool": (100, ["pool=8192", "pool=4096", "pool=16384", "pool=32768", "pool=8192 increment=4096"]),
    "date": (100, ["pool=8192", "no_date", "own_date"]),
    "fields": (100, ["fields=5", "fields=0", "fields=10", "fields=5 prepared"]),
    "body 100": (100, ["body=buffer", "body=copy", "body=iovec"]),
    "body 4 KiB": (4096, ["body=buffer", "body=copy", "body=iovec"]),
    "body 16 KiB": (16384, ["body=buffer", "body=copy", "body=iovec"]),
    "body 64 KiB": (65536, ["body=buffer", "body=copy", "body=iovec"]),
    "body 1 MiB": (1 << 20, ["nginx file", "body=buffer", "body=iovec"]),
    "source": (100, ["source=listen", "source=add"]),
    "flags": (100, ["source=add", "source=add suspendable", "source=add turbo", "source=add audit",
                    "source=add suspend"]),
    "service": (100, ["nginx", "loop=libuv source=add suspendable audit own_date fields=9 pool=8192",
                      "loop=libuv source=add suspendable audit own_date fields=6 pool=8192",
                      "loop=libuv source=add suspendable audit own_date fields=6 pool=4096"]),
}


def build(folder):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libmicrohttpd", "libuv"], check=True,
                           capture_output=True, text=True).stdout
    target = folder / "loops"
    sources = [HERE / name for name in ("main.c", "worker.c", "drive.c")]
    subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-g", "-o", target, *sources, *shlex.split(flags),
                    "-lev", "-lpthread"], check=True)
    return target


def contestant(folder, binary, options, body_bytes, threads):
    if options == "nginx":
        return nginx_server(folder, threads, return_location(body_bytes))
    if options == "nginx file":
        (folder / "file").mkdir(exist_ok=True)
        (folder / "file" / "body").write_bytes(b"x" * body_bytes)
        return nginx_server(folder, threads, f"location / {{ root {folder}/file; }}")
    port = free_port()
    argv = [binary, f"--port={port}", f"--threads={threads}", f"--bytes={body_bytes}"]
    return Server(options, argv + [f"--{option}" for option in options.split()], port, folder=folder)


def run_set(folder, binary, name, args):
    body_bytes, variants = SETS[name]
    with Group() as group:
        servers = [(v, group.start(contestant(folder, binary, v, body_bytes, args.threads))) for v in variants]
        takes = [(v, lambda s=s: run_wrk(s, Load("/body"), args.seconds, args.wrk_threads)) for v, s in servers]
        samples = interleave(takes, args.rounds)
    print(f"\n### {name}: {body_bytes} bytes, {args.threads} thread(s), {args.rounds} x {args.seconds} s\n")
    print("| variant | CPU µs/request | ratio to the first (range) | requests/s |\n|---|---|---|---|")
    for variant in variants:
        ratio = median_ratio(samples, variant, variants[0], lambda s: s.cpu_us)
        print(f"| {variant} | {median_of(samples, variant, lambda s: s.cpu_us):.2f} | {ratio.text()} | "
              f"{median_of(samples, variant, lambda s: s.rate):.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each server")
    parser.add_argument("--wrk-threads", type=int, default=1)
    parser.add_argument("--set", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 s")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds = 3, 1
    with tempfile.TemporaryDirectory(prefix="cubby-loops-") as folder:
        binary = build(Path(folder))
        for name in args.set:
            run_set(Path(folder), binary, name, args)


if __name__ == "__main__":
    main()
