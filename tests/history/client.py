"""One keep-alive connection: as fast as Python allows, because a history wants many operations."""

import socket


class Lost(Exception):
    """No answer: what the request did is not known."""


class Answer:
    __slots__ = ("body", "head", "status")

    def __init__(self, status, head, body):
        self.status, self.head, self.body = status, head, body

    def field(self, name):
        """A field's value; `name` as the service spells it."""
        at = self.head.find(b"\r\n" + name + b": ")
        if at < 0:
            return None
        at += len(name) + 4
        return self.head[at:self.head.index(b"\r\n", at)].decode("latin-1")


class Client:
    def __init__(self, port):
        self.port = port
        self.socket = None

    def _connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def request(self, method, target, body=b"", fields=""):
        """Raises Lost when the connection ends without an answer."""
        head = f"{method} {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
        try:
            if self.socket is None:
                self._connect()
            self.socket.sendall(head.encode() + body)
            return self._read()
        except (OSError, ValueError) as fault:
            self.close()
            raise Lost(str(fault)) from fault

    def _read(self):
        data = self.socket.recv(65536)
        end = data.find(b"\r\n\r\n")
        while end < 0:
            more = self.socket.recv(65536)
            if not more:
                raise OSError("closed")
            data += more
            end = data.find(b"\r\n\r\n")
        answer = Answer(int(data[9:12]), data[:end + 2], b"")
        length = answer.field(b"Content-Length")
        missing = int(length) - (len(data) - end - 4) if length else 0
        answer.body = data[end + 4:]
        while missing > 0:
            more = self.socket.recv(65536)
            if not more:
                raise OSError("closed")
            answer.body += more
            missing -= len(more)
        if b"\r\nConnection: close" in answer.head:
            self.close()
        return answer
