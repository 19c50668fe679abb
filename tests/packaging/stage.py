"""Where the pages' commands run: port 8080 is free, HOME is empty, and nobody else is there."""

import contextlib
import fcntl
import json
import os
import pathlib
import subprocess
import threading
import time

from support.own_network import OwnNetwork, end_group
from support.service import ROOT, SANITIZER, binary_path, clean_environment

# A build of the release is in it, where there is none yet.
PATIENCE = 600.0
# Of curl's: an answer from 400 up ends the script; no meter.
CURLRC = "fail-with-body\nno-progress-meter\n"


class Background:
    """A script that goes on running, in a group of its own."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def wait_until_it_listens(self, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while not any('"msg":"listening"' in line for line in self.lines):
            assert self.process.poll() is None and time.monotonic() < deadline, "".join(self.lines)
            time.sleep(0.05)
        return self

    def listening(self):
        return json.loads(next(line for line in self.lines if '"msg":"listening"' in line))

    def end(self):
        status = end_group(self.process)
        self._reader.join(5)
        self.process.stdout.close()
        assert not any(SANITIZER.search(line) for line in self.lines), "".join(self.lines)
        return status


class Stage:
    def __init__(self, folder):
        self.folder = folder
        self.network = OwnNetwork()
        self._running = []
        (folder / ".curlrc").write_text(CURLRC)
        # The page's `cubby` is the one under test.
        (folder / "bin").mkdir()
        (folder / "bin" / "cubby").symlink_to(os.path.realpath(binary_path()))

    def _environment(self, settings):
        environment = clean_environment(settings)
        return {**environment, "HOME": str(self.folder), "PATH": f"{self.folder / 'bin'}:{environment['PATH']}"}

    def run(self, script, where=None, **variables):
        """Runs lines of a page to their end; each must succeed. Gives what they print on standard output."""
        process = self.network.start(["bash", "-euo", "pipefail", "-c", script], cwd=where or self.folder, text=True,
                                     env=self._environment(variables), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            end_group(process)
            raise
        assert process.returncode == 0, f"status {process.returncode} of\n{script}\n{out}{err}"
        return out

    def start(self, script, where=None, **variables):
        """Starts lines of a page that end in a service."""
        process = self.network.start(["bash", "-c", script], cwd=where or self.folder, text=True, stdin=subprocess.DEVNULL,
                                     env=self._environment(variables), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._running.append(Background(process))
        return self._running[-1].wait_until_it_listens()

    def serve(self, **settings):
        """The service under test, on its default port."""
        return self.start("exec cubby", **settings)

    def close(self):
        statuses = [one.end() for one in self._running]
        self.network.close()
        assert all(status in (0, -15) for status in statuses), statuses


@contextlib.contextmanager
def build_alone(preset):
    """Nobody else builds the preset meanwhile: the lock is that of tests/run.sh. Gives what it is configured with there."""
    folder = pathlib.Path(ROOT, "build", "steps")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{preset}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield {name: os.environ.get(name) for name in ("CUBBY_WERROR", "CMAKE_C_COMPILER_LAUNCHER")}


def project_file(name):
    return pathlib.Path(ROOT, name).read_text(encoding="utf-8")
