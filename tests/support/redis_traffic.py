"""Traffic that knows what it may read: for faults of the engine under load.

Each worker owns its keys, so what a read may answer is known: every value names its key and counts its writes. A worker
notes each answer that a correct service never gives, whatever happens to Redis:

  crossed   a value that names another key
  false 404 a miss of a key whose last write was confirmed (unless the fault loses data)
  false 2xx a value older than the last confirmed write (unless the fault loses data)
  strange   any status but 200, 201, 404, 503 and 504
"""

import socket
import threading
import time


class Fast:
    """Pipelined requests over one connection, answers read with no more care than their framing needs."""

    def __init__(self, port, timeout=10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    @staticmethod
    def encode(method, path, body=b""):
        length = b"Content-Length: %d\r\n" % len(body) if method == "PUT" else b""
        return b"%s %s HTTP/1.1\r\nHost: t\r\n%s\r\n" % (method.encode(), path.encode(), length) + body

    def run(self, requests):
        self.socket.sendall(b"".join(self.encode(*request) for request in requests))
        return [self._answer() for _ in requests]

    def _answer(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the service closed the connection")
        status, length = int(line[9:12]), 0
        while (line := self.file.readline()) not in (b"\r\n", b""):
            if line[:15].lower() == b"content-length:":
                length = int(line[15:])
        return status, self.file.read(length)


class Worker(threading.Thread):
    def __init__(self, traffic, number):
        super().__init__(daemon=True)
        self.traffic, self.number = traffic, number
        self.keys = [f"w{number}-{index}" for index in range(traffic.keys)]
        self.confirmed = dict.fromkeys(self.keys, 0)  # number of the last write that was answered 2xx
        self.sent = dict.fromkeys(self.keys, 0)
        self.fault = None

    def run(self):
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - shown by the test
            self.traffic.note("strange", f"worker {self.number}: {error!r}")

    def _work(self):
        connection = Fast(self.traffic.port)
        turn = 0
        while not self.traffic.ended():
            turn += 1
            writes = turn % 4 == 1
            batch = self.keys if self.traffic.batch == 0 else \
                [self.keys[(turn * self.traffic.batch + i) % len(self.keys)] for i in range(self.traffic.batch)]
            requests = [self._write(key) if writes else ("GET", self._path(key)) for key in batch]
            began = time.monotonic()
            answers = connection.run(requests)
            self.traffic.took(time.monotonic() - began, answers)
            for key, (status, body) in zip(batch, answers):
                self._judge(key, writes, status, body)
            if self.traffic.pause:
                time.sleep(self.traffic.pause)
        connection.close()

    def _path(self, key):
        return f"/raw/{self.traffic.ns}/{key}"

    def _write(self, key):
        self.sent[key] += 1
        return "PUT", self._path(key), f"{key}={self.sent[key]};".encode() + b"." * self.traffic.padding

    def _judge(self, key, wrote, status, body):
        traffic = self.traffic
        if wrote:
            if status in (200, 201):
                self.confirmed[key] = self.sent[key]
                traffic.wrote_at = time.monotonic()
            elif status not in (503, 504):
                traffic.note("strange", f"PUT {key}: {status} {body[:200]!r}")
        elif status == 404:
            if self.confirmed[key] and not traffic.loses_data:
                traffic.note("false 404", key)
        elif status == 200:
            name, _, rest = body.partition(b"=")
            number = int(rest.partition(b";")[0] or 0) if name.decode() == key else -1
            if number < 0:
                traffic.note("crossed", f"{key}: {body[:60]!r}")
            elif not traffic.loses_data and not self.confirmed[key] <= number <= self.sent[key]:
                traffic.note("false 2xx", f"{key}: {number}, confirmed {self.confirmed[key]}, sent {self.sent[key]}")
        elif status not in (503, 504):
            traffic.note("strange", f"GET {key}: {status} {body[:200]!r}")


class Traffic:
    """Use as a context; check() afterwards."""

    def __init__(self, service, ns="fault", workers=4, keys=16, batch=0, pause=0.0, padding=0, loses_data=False):
        self.port, self.ns, self.keys, self.batch = service.port, ns, keys, batch
        self.pause, self.padding, self.loses_data = pause, padding, loses_data
        self.statuses, self.faults, self.slow = {}, [], []
        self.wrote_at = time.monotonic()
        self._lock, self._end = threading.Lock(), threading.Event()
        self.workers = [Worker(self, number) for number in range(workers)]

    def ended(self):
        return self._end.is_set()

    def note(self, kind, what):
        with self._lock:
            self.faults.append((kind, what))

    def took(self, seconds, answers):
        with self._lock:
            for status, _ in answers:
                self.statuses[status] = self.statuses.get(status, 0) + 1

    def count(self, *statuses):
        with self._lock:
            return sum(self.statuses.get(status, 0) for status in statuses)

    def total(self):
        with self._lock:
            return sum(self.statuses.values())

    def __enter__(self):
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for worker in self.workers:
            worker.join(30)

    def wait_for(self, condition, timeout=20.0, what="condition"):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{what} within {timeout} s; so far {self.statuses}"
            time.sleep(0.01)

    def wait_for_more(self, amount, *statuses, timeout=20.0):
        """Until `amount` more answers of these statuses have come."""
        before = self.count(*statuses)
        self.wait_for(lambda: self.count(*statuses) >= before + amount, timeout, f"{amount} more of {statuses}")

    def check(self):
        assert not any(worker.is_alive() for worker in self.workers), "a worker hangs"
        assert not self.faults, f"{len(self.faults)} faults: {self.faults[:10]}; answers {self.statuses}"
