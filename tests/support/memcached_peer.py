"""A scripted memcached: speaks enough of the binary protocol for the service, records what it is sent, and lies on demand.

    peer.script = lambda request, good: b"..."

is asked for the bytes to send for each request, `good` being the honest answer (b"" for a quiet miss); None ends the
connection. Sending happens in one piece; give a list for several.
"""

import socket
import struct
import threading

GET_QUIET, SET, ADD, REPLACE, QUIT, NOOP, VERSION, STAT = 0x0D, 0x01, 0x02, 0x03, 0x07, 0x0A, 0x0B, 0x10
SASL_MECHS, SASL_AUTH = 0x20, 0x21
OK, ABSENT, EXISTS, AUTH_ERROR = 0x00, 0x01, 0x02, 0x20


class Request:
    def __init__(self, header, body):
        _, self.opcode, key_len, extras_len, _, _, _, self.opaque, self.cas = struct.unpack(">BBHBBHLLQ", header)
        self.raw = header + body
        self.extras = body[:extras_len]
        self.key = body[extras_len:extras_len + key_len]
        self.value = body[extras_len + key_len:]


def reply(request, status=OK, extras=b"", key=b"", value=b"", cas=0, **lies):
    """A reply to `request`; `lies` overrides fields of the header: magic, opcode, key_len, extras_len, body_len."""
    return struct.pack(">BBHBBHLLQ", lies.get("magic", 0x81), lies.get("opcode", request.opcode),
                       lies.get("key_len", len(key)), lies.get("extras_len", len(extras)), 0, status,
                       lies.get("body_len", len(extras) + len(key) + len(value)), request.opaque,
                       cas) + extras + key + value


class MemcachedPeer:
    def __init__(self, credentials=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.credentials = credentials
        self.script = None
        self.items = {}
        self.requests = []
        self.connections = 0
        self._cas = 0
        self._lock = threading.Lock()
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def settings(self):
        return {"CACHE_ENGINE": "memcached", "MEMCACHED_SERVERS": f"127.0.0.1:{self.port}"}

    def stop(self):
        self.listener.close()
        self.drop()

    def drop(self):
        """Ends all connections."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def keys_sent(self):
        with self._lock:
            return [request.key for request in self.requests if request.key and request.opcode != STAT]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        trusted = self.credentials is None
        try:
            with connection, connection.makefile("rb") as file:
                while True:
                    header = file.read(24)
                    if len(header) < 24:
                        return
                    request = Request(header, file.read(struct.unpack(">L", header[8:12])[0]))
                    with self._lock:
                        self.requests.append(request)
                        if request.opcode == SASL_AUTH:
                            trusted = request.value == self.credentials
                        good = self._answer(request, trusted)
                        script = self.script
                    sent = script(request, good) if script else good
                    if sent is None or request.opcode == QUIT:
                        return
                    for piece in sent if isinstance(sent, list) else [sent]:
                        connection.sendall(piece)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)

    def _answer(self, request, trusted):
        if request.opcode == VERSION:
            return reply(request, value=b"1.6.18")
        if request.opcode == SASL_MECHS:
            return reply(request, value=b"PLAIN")
        if request.opcode == SASL_AUTH:
            return reply(request, value=b"Authenticated") if trusted else reply(request, AUTH_ERROR, value=b"Auth failure")
        if not trusted:
            return reply(request, AUTH_ERROR, value=b"Auth failure")
        if request.opcode == STAT:
            return reply(request, key=b"item_size_max", value=b"1048576") + reply(request)
        if request.opcode == NOOP:
            return reply(request)
        if request.opcode == GET_QUIET:
            item = self.items.get(request.key)
            return b"" if item is None else reply(request, extras=bytes(4), key=request.key, value=item[0], cas=item[1])
        if request.opcode in (SET, ADD, REPLACE):
            return self._store(request)
        return reply(request, 0x81, value=b"Unknown command")

    def _store(self, request):
        item = self.items.get(request.key)
        if request.opcode == ADD and item is not None:
            return reply(request, EXISTS, value=b"Data exists for key.")
        if request.opcode == REPLACE and item is None:
            return reply(request, ABSENT, value=b"Not found")
        if request.cas and item and item[1] != request.cas:
            return reply(request, EXISTS, value=b"Data exists for key.")
        self._cas += 1
        if struct.unpack(">L", request.extras[4:])[0] == 30 * 86400 + 1:
            self.items.pop(request.key, None)
        else:
            self.items[request.key] = (request.value, self._cas)
        return reply(request, cas=self._cas)
