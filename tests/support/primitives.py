"""Counters, limits and locks as a client sees them, with the promises that hold for every answer checked on each."""

import json

import pytest

from support.api import check_any_answer, check_problem
from support.wire import build_request, quote


class Space:
    """Requests about one kind of primitive ("counters", "limits", "locks") in namespace `ns`, on one kept connection."""

    def __init__(self, service, kind, ns):
        self.service = service
        self.kind = kind
        self.ns = ns
        self._connection = None

    def target(self, key, query=""):
        return f"/{self.kind}/{self.ns}/{quote(key)}" + (f"?{query}" if query else "")

    def send(self, method, key, body=None, fields=None, query=""):
        if self._connection is None:
            self._connection = self.service.connect(timeout=60)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self._connection.send(build_request(method, self.target(key, query), list((fields or {}).items()), body))

    def read(self, method):
        answer = self._connection.read(method)
        if answer.closes:
            self.close()
        check_any_answer(answer, method)
        if method != "HEAD" and answer.status < 300 and answer.status != 204:
            assert answer["Content-Type"] == "application/json", answer
        if answer.status < 300 and answer.status != 204:
            assert answer["Cache-Control"] == "no-store", answer
        return answer

    def request(self, method, key, body=None, fields=None, query=""):
        self.send(method, key, body, fields, query)
        return self.read(method)

    def post(self, key, body=None, **how):
        return self.request("POST", key, body, **how)

    def refused(self, method, key, body, name, **how):
        """The request is answered with 400 that names `name`; gives the detail."""
        answer = self.request(method, key, body, **how)
        detail = check_problem(answer, 400)["detail"]
        assert name is None or f'"{name}"' in detail, (body, detail)
        return detail

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def skip_unless_supported(service, kind, body):
    """Skips where the engine has no such thing, once it has said so properly."""
    space = Space(service, kind, "probe")
    answer = space.post("probe", body)
    space.close()
    if answer.status == 501:
        assert check_problem(answer)["type"] == "/problems/not-supported-by-engine"
        pytest.skip(f"this engine has no {kind}")
    assert answer.status in (200, 201, 409), answer


ODD_BODIES = [b"[]", b"5", b'"text"', b"null", b"{", b'{"ttl":}', b'{"ttl":NaN}', b'{"ttl":Infinity}', b"{'ttl':1}",
              b'{"ttl":1}x', b'{"ttl":1,"ttl":2}', b"\xff\xfe", b'{"ttl":"\xc3"}', b" "]
ODD_KEYS = [b"a b", b"a/b/c", b"..", b"a\r\nb", b"\x00", bytes(range(256)), "grün".encode(), b"k" * 1024, b"+", b"%"]
