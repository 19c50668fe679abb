"""A small raw HTTP/1.1 client.

It sends exactly the bytes it is given and reads answers strictly: whatever is not well-formed in an answer raises
WireError. The suites use it instead of http.client because targets, fields and framing must reach the server
untouched. One Connection belongs to one thread. Every answer is held to the interface's document (support/document.py).
"""

import json
import re
import socket
import time

from support.document import check_answer

READ_TIMEOUT = 20.0
MAX_HEAD = 64 * 1024
BODILESS = (204, 304)
REQUEST_LINE = re.compile(rb"^(([A-Za-z]+) ([^ \r\n]+) HTTP/1\.[01]\r\n)", re.MULTILINE)


class WireError(Exception):
    """The answer is not HTTP, or ended in the middle."""


class Closed(WireError):
    """The server closed the connection where an answer was expected."""


class Response:
    """One answer: status, fields in order, body; `interim` lists the 1xx statuses that came before it."""

    def __init__(self, version, status, reason, fields, body, interim):
        self.version = version
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body = body
        self.interim = interim

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.fields} {self.body[:300]!r}>"

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def __getitem__(self, name):
        values = self.all(name)
        if len(values) != 1:
            raise AssertionError(f"{name} should stand once, stands {len(values)} times in {self!r}")
        return values[0]

    def json(self):
        return json.loads(self.body.decode("utf-8"), object_pairs_hook=_object_of_distinct_names)

    @property
    def closes(self):
        return "close" in [item.strip().lower() for item in ",".join(self.all("Connection")).split(",")]


def _object_of_distinct_names(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a JSON object with a name twice: {names}")
    return dict(pairs)


def quote(key):
    """Percent-encodes a key of any bytes; every byte that is not unreserved."""
    if isinstance(key, str):
        key = key.encode()
    unreserved = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~"
    return "".join(chr(byte) if byte in unreserved else f"%{byte:02X}" for byte in key)


def latin(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def build_request(method, target, fields=(), body=None, host="127.0.0.1", version="1.1"):
    """The bytes of a request. A body of bytes gets its Content-Length, unless the fields say how it is framed."""
    if isinstance(fields, dict):
        fields = list(fields.items())
    fields = [(name, value) for name, value in fields if value is not None]
    names = {name.lower() for name, _ in fields}
    if host is not None and "host" not in names:
        fields.insert(0, ("Host", host))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        fields.append(("Content-Length", str(len(body))))
    lines = [latin(method) + b" " + latin(target) + b" HTTP/" + latin(version)]
    lines += [latin(name) + b": " + latin(str(value) if not isinstance(value, bytes) else value)
              for name, value in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def chunked(pieces, trailer=b""):
    """Pieces of bytes in the chunked coding (RFC 9112 section 7.1)."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return framed + b"0\r\n" + trailer + b"\r\n"


class Connection:
    """One TCP connection to the service."""

    def __init__(self, port, host="127.0.0.1", timeout=READ_TIMEOUT):
        self.timeout = timeout
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        # Method and target of what is to be answered; None once several were sent, and nobody can tell which is whose.
        self._asked = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def _note_request(self, data):
        lines = REQUEST_LINE.findall(data)
        if self._asked == [] and len(lines) == 1 and data.startswith(lines[0][0]):
            self._asked = [(lines[0][1].decode(), lines[0][2].decode("latin-1"))]
        elif lines or not self._asked:
            self._asked = None

    def send(self, data):
        self._note_request(data)
        self.sock.sendall(data)

    def send_tolerant(self, data):
        """Sends, and does not mind when the server has hung up in the middle. True when all of it went."""
        self._note_request(data)
        try:
            self.sock.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def end_sending(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self.sock.settimeout(left)
        try:
            piece = self.sock.recv(65536)
        except socket.timeout:
            raise TimeoutError("no answer in time") from None
        except (ConnectionResetError, BrokenPipeError):
            piece = b""
        self.buffer += piece
        return bool(piece)

    def _take(self, count, deadline):
        while len(self.buffer) < count:
            if not self._fill(deadline):
                raise WireError(f"closed after {len(self.buffer)} of {count} body bytes")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _take_line(self, deadline):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > MAX_HEAD or not self._fill(deadline):
                raise WireError(f"no line in {self.buffer[:200]!r}")
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _read_head(self, deadline):
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > MAX_HEAD:
                raise WireError("endless header section")
            if not self._fill(deadline):
                if self.buffer:
                    raise WireError(f"closed inside a header section: {self.buffer[:200]!r}")
                raise Closed("closed without an answer")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *rest = head.split(b"\r\n")
        match = re.fullmatch(rb"HTTP/(1\.[01]) ([1-5][0-9][0-9]) ([ -~]*)", first)
        if not match:
            raise WireError(f"not a status line: {first[:200]!r}")
        fields = []
        for line in rest:
            field = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*", line)
            if not field:
                raise WireError(f"not a field: {line[:200]!r}")
            fields.append((field[1].decode("latin-1"), field[2].decode("latin-1")))
        return match[1].decode(), int(match[2]), match[3].decode(), fields

    def _read_chunked(self, deadline):
        pieces = []
        while True:
            size = int(self._take_line(deadline).split(b";")[0], 16)
            if size == 0:
                while self._take_line(deadline):
                    pass
                return b"".join(pieces)
            pieces.append(self._take(size, deadline))
            if self._take_line(deadline):
                raise WireError("a chunk longer than it said")

    def _read_body(self, method, status, fields, deadline):
        if method == "HEAD" or status in BODILESS:
            return b""
        lower = {name.lower(): value for name, value in fields}
        if "transfer-encoding" in lower:
            if lower["transfer-encoding"].lower() != "chunked" or "content-length" in lower:
                raise WireError(f"an answer with odd framing: {fields}")
            return self._read_chunked(deadline)
        if "content-length" in lower:
            return self._take(int(lower["content-length"]), deadline)
        body = b""
        while self._fill(deadline):
            pass
        body, self.buffer = self.buffer, b""
        return body

    def read_interim(self, timeout=None):
        """The status of the next 1xx answer."""
        deadline = time.monotonic() + (timeout or self.timeout)
        _, status, _, _ = self._read_head(deadline)
        if status >= 200:
            raise WireError(f"a final {status} where 1xx was expected")
        return status

    def read(self, method="GET", timeout=None):
        """The next final answer; `method` of its request tells whether it has a body."""
        deadline = time.monotonic() + (timeout or self.timeout)
        interim = []
        while True:
            version, status, reason, fields = self._read_head(deadline)
            if status >= 200:
                break
            interim.append(status)
        body = self._read_body(method, status, fields, deadline)
        answer = Response(version, status, reason, fields, body, interim)
        check_answer(answer, *(self._asked.pop(0) if self._asked else (method, None)))
        return answer

    def request(self, method, target, fields=(), body=None, timeout=None, **how):
        self.send(build_request(method, target, fields, body, **how))
        return self.read(method, timeout)

    def closed_within(self, seconds):
        """True when the server closes (or resets) within that time and sends nothing more before."""
        deadline = time.monotonic() + seconds
        try:
            while self._fill(deadline):
                pass
        except TimeoutError:
            return False
        return not self.buffer
