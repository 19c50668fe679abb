"""Real memcached servers for the tests.

Every process listens on 127.0.0.1 at a free port and is ended by its process id. `port` stays the same across kill()
and start(), so that a server can come back where it was.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from urllib.parse import unquote

from support.ports import free_port, wait_for_port


class MemcachedServer:
    def __init__(self, *options, port=None, environment=None):
        if shutil.which("memcached") is None:
            raise RuntimeError("memcached is not installed")
        self.port = port or free_port()
        self.options = [str(option) for option in options] or ["-m", "64"]
        self.environment = environment
        self.process = None

    def start(self):
        command = ["memcached", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", *self.options]
        if os.geteuid() == 0:
            command += ["-u", "nobody"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=self.environment)
        wait_for_port(self.port, self.process)
        return self

    def kill(self):
        """SIGKILL, and gone when this returns."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    stop = kill

    def pause(self):
        """SIGSTOP, and every thread has stopped when this returns."""
        self.process.send_signal(signal.SIGSTOP)
        folder = f"/proc/{self.process.pid}/task"
        while not all(self._state(f"{folder}/{task}/stat") in ("T", "t") for task in os.listdir(folder)):
            time.sleep(0.001)

    @staticmethod
    def _state(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def address(self):
        return f"127.0.0.1:{self.port}"

    def client(self):
        return Client(self.port)


class ServerSet:
    """Several servers, and the settings of a service that uses them all."""

    def __init__(self, count, *options):
        self.servers = [MemcachedServer(*options) for _ in range(count)]

    def start(self):
        for server in self.servers:
            server.start()
        return self

    def stop(self):
        for server in self.servers:
            server.stop()

    def settings(self):
        return {"CACHE_ENGINE": "memcached",
                "MEMCACHED_SERVERS": ",".join(server.address() for server in self.servers)}

    def __getitem__(self, index):
        return self.servers[index]


class Client:
    """A small blocking client of the binary protocol: the tests' own view of what a server holds."""

    def __init__(self, port, timeout=10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("the server closed the connection")
            data += piece
        return data

    def call(self, opcode, key=b"", extras=b"", value=b"", cas=0):
        """(status, extras, key, value, cas) of the reply."""
        body = extras + key + value
        self.socket.sendall(struct.pack(">BBHBBHLLQ", 0x80, opcode, len(key), len(extras), 0, 0, len(body), 0, cas) + body)
        return self.reply()

    def reply(self):
        _, _, key_len, extras_len, _, status, body_len, _, cas = struct.unpack(">BBHBBHLLQ", self._exactly(24))
        body = self._exactly(body_len)
        return status, body[:extras_len], body[extras_len:extras_len + key_len], body[extras_len + key_len:], cas

    def get(self, key):
        """The value, or None."""
        status, _, _, value, _ = self.call(0x00, key)
        return value if status == 0 else None

    def set(self, key, value, expiry=0):
        assert self.call(0x01, key, struct.pack(">LL", 0, expiry), value)[0] == 0

    def delete(self, key):
        return self.call(0x04, key)[0] == 0

    def stats(self, what=b""):
        body = struct.pack(">BBHBBHLLQ", 0x80, 0x10, len(what), 0, 0, 0, len(what), 0, 0) + what
        self.socket.sendall(body)
        found = {}
        while True:
            _, _, key, value, _ = self.reply()
            if not key:
                return found
            found[key.decode()] = value.decode()

    def keys(self):
        """The names of all items, by the ASCII protocol's crawler."""
        with socket.create_connection(self.socket.getpeername(), timeout=10) as ascii_socket:
            ascii_socket.sendall(b"lru_crawler metadump all\r\n")
            text = b""
            while not text.endswith(b"END\r\n"):
                text += ascii_socket.recv(65536)
        lines = text.decode().splitlines()
        return [unquote(line.split(" ")[0].removeprefix("key=")) for line in lines if line.startswith("key=")]
