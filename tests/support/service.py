"""The service under test as a child process: started on a free port, watched, stopped and judged.

Every stop checks that the process ended with status 0 on SIGTERM and that no sanitizer spoke. The environment of the
child holds only what is given here, so settings of the caller's shell do not leak into a test.
"""

import json
import os
import re
import signal
import subprocess
import threading
import time

from support.wire import Connection, Response, WireError

START_TIMEOUT = 30.0
STOP_TIMEOUT = 30.0
SANITIZER = re.compile(r"(Address|Leak|Thread|Memory)Sanitizer|runtime error:")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def binary_path():
    path = os.environ.get("CUBBY_BINARY", os.path.join(ROOT, "build", "dev", "cubby"))
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"no service binary at {path}; set CUBBY_BINARY")
    return path


def clean_environment(settings):
    """PATH, the sanitizers' options, and the settings; None leaves one out."""
    kept = {name: value for name, value in os.environ.items()
            if name in ("PATH", "HOME", "TMPDIR", "LANG") or name.endswith("SAN_OPTIONS")}
    kept.update({name: str(value) for name, value in settings.items() if value is not None})
    return kept


def run_once(*arguments, settings=None, timeout=START_TIMEOUT):
    """Runs the binary to its end: for --help, --check and starts that must fail."""
    return subprocess.run([binary_path(), *arguments], env=clean_environment(settings or {}), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)


class Service:
    """One running replica."""

    def __init__(self, settings, binary=None):
        self.binary = binary
        self.settings = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", **settings}
        self.port = None
        self.lines = []
        self._grown = threading.Condition()
        self._readers = []
        self.process = None

    def start(self):
        self.process = subprocess.Popen([self.binary or binary_path()], env=clean_environment(self.settings),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for stream in (self.process.stdout, self.process.stderr):
            reader = threading.Thread(target=self._collect, args=(stream,), daemon=True)
            reader.start()
            self._readers.append(reader)
        try:
            listening = self.wait_for_log(lambda entry: entry.get("msg") == "listening" and "port" in entry,
                                          START_TIMEOUT)
            self.port = int(listening["port"])
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise
        return self

    def _collect(self, stream):
        for line in stream:
            with self._grown:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._grown.notify_all()
        stream.close()

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                with Connection(self.port) as connection:
                    if connection.request("GET", "/readyz").status == 200:
                        return
            except (OSError, WireError):
                pass
            if time.monotonic() > deadline:
                raise AssertionError("not ready in time:\n" + self.output())
            time.sleep(0.05)

    def output(self):
        return "\n".join(self.lines)

    def log(self):
        """The log lines so far, decoded; lines that are not JSON are left out."""
        entries = []
        for line in list(self.lines):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                entries.append(entry)
        return entries

    def wait_for_log(self, wanted, timeout):
        """The first log entry that `wanted` accepts."""
        deadline = time.monotonic() + timeout
        while True:
            for entry in self.log():
                if wanted(entry):
                    return entry
            left = deadline - time.monotonic()
            if left <= 0 or (self.process.poll() is not None and not any(r.is_alive() for r in self._readers)):
                raise AssertionError(f"the log line never came (exit {self.process.poll()}):\n{self.output()}")
            with self._grown:
                self._grown.wait(min(left, 0.1))

    def connect(self, **how):
        return Connection(self.port, **how)

    def request(self, method, target, fields=(), body=None, **how) -> Response:
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.request(method, target, fields, body, **how)

    def take_connections(self, count, timeout=20.0):
        """`count` kept connections, each of which was answered: none is one that the service turned away, because it had
        not yet seen the end of those before."""
        taken, deadline = [], time.monotonic() + timeout
        while len(taken) < count:
            connection = self.connect()
            try:
                if connection.request("GET", "/healthz").status == 200:
                    taken.append(connection)
                    continue
            except (OSError, WireError):
                pass
            connection.close()
            assert time.monotonic() < deadline, f"{len(taken)} of {count} connections"
            time.sleep(0.05)
        return taken

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout=STOP_TIMEOUT):
        """The exit status; kills and fails when the process outlives `timeout`."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still alive {timeout} s after it was asked to end:\n{self.output()}") from None
        for reader in self._readers:
            reader.join(5)
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM, then the checks that every run ends with."""
        if self.process.poll() is None:
            self.terminate()
        status = self.wait()
        findings = [line for line in self.lines if SANITIZER.search(line)]
        assert not findings, "a sanitizer spoke:\n" + self.output()
        assert status == 0, f"exit status {status} on SIGTERM:\n{self.output()}"
