"""Constant-rate load (pace.c): latencies below the peak."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

SOURCE = Path(__file__).resolve().parent.parent / "pace.c"


def build_pace(folder):
    target = folder / "pace"
    if not target.exists():
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-o", target, SOURCE], check=True)
    return target


def run_pace(run, server, paths, rate, seconds, connections=64):
    """Latencies in microseconds of GETs of `paths` in turn; raises when an answer was not 200."""
    listed = run.folder / f"paths-{server.port}"
    listed.write_text("".join(path + "\n" for path in paths))
    argv = [build_pace(run.folder), server.port, f"{rate:.0f}", seconds, connections, listed]
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pace against {server.name}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    if report["unexpected"]:
        raise RuntimeError(f"pace against {server.name}: {report['unexpected']} answers were not 200")
    return SimpleNamespace(p50_us=report["p50"], p99_us=report["p99"], max_us=report["max"], requests=report["requests"])
