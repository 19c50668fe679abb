"""Load from wrk, with the server's CPU time read before and after."""

import json
import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 64


class Load:
    """What wrk sends: `keys` paths (path, number, suffix) in turn, or `path` alone."""

    def __init__(self, path, method="GET", body="", headers=None, keys=0, suffix="",
                 connections=CONNECTIONS):
        self.path, self.method, self.body, self.keys = path, method, body, keys
        self.headers, self.suffix, self.connections = headers or {}, suffix, connections

    def environment(self):
        env = dict(os.environ, LOAD_METHOD=self.method, LOAD_BODY=self.body, LOAD_KEYS=str(self.keys),
                   LOAD_PATH=self.path, LOAD_SUFFIX=self.suffix)
        env["LOAD_HEADERS"] = "\n".join(f"{k}: {v}" for k, v in self.headers.items())
        return env


class Sample:
    """One contestant's turn of one round."""

    def __init__(self, report, cpu):
        self.requests, self.seconds = report["requests"], report["microseconds"] / 1e6
        self.unexpected, self.socket_errors = report["unexpected"], report["socket_errors"]
        self.p50_us, self.p99_us, self.bytes = report["p50"], report["p99"], report["bytes"]
        self.cpu_us = cpu * 1e6 / self.requests if self.requests else float("inf")
        self.rate = self.requests / self.seconds
        self.bytes_rate = self.bytes / self.seconds


def run_wrk(server, load, seconds, threads):
    """One run of wrk against `server`; raises when an answer was not the expected one."""
    before = server.cpu()
    argv = ["wrk", f"-t{threads}", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "5s", "-s", str(SCRIPT),
            f"http://127.0.0.1:{server.port}{load.path}"]
    done = subprocess.run(argv, env=load.environment(), capture_output=True, text=True, check=False)
    cpu = server.cpu() - before
    line = next((l for l in done.stdout.splitlines() if l.startswith("LOAD ")), None)
    if done.returncode or line is None:
        raise RuntimeError(f"wrk against {server.name}: {done.stdout}{done.stderr}")
    sample = Sample(json.loads(line[5:]), cpu)
    if sample.unexpected or sample.socket_errors or not sample.requests:
        raise RuntimeError(f"wrk against {server.name}, {load.method} {load.path}: {sample.requests} requests, "
                           f"{sample.unexpected} unexpected answers, {sample.socket_errors} socket errors")
    return sample
