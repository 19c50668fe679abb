"""The entries of one namespace as a client sees them, with the promises that hold for every answer checked on each.

Api.request() is the only way in, so whatever a test is about, each answer is also held to: X-Request-Id once; errors
as problem+json with all their members; ETag and Cache-TTL on hits and writes; Cache-Control and Cache-Status on reads.
"""

import math
import re

from support.wire import build_request, quote

STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]+"')
TTL_FIELD = re.compile(r"none|[0-9]+(\.[0-9]+)?")
REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
OCTETS = "application/octet-stream"
JSON = "application/json"
VIEWS = ("cache", "raw")


def check_problem(answer, status=None):
    """Holds an error to RFC 9457 and the contract; gives its members."""
    if status is not None:
        assert answer.status == status, answer
    assert answer["Content-Type"].split(";")[0].strip() == "application/problem+json", answer
    problem = answer.json()
    assert re.fullmatch(r"/problems/[a-z0-9]+(-[a-z0-9]+)*", problem["type"]), problem
    assert isinstance(problem["title"], str) and problem["title"], problem
    assert problem["status"] == answer.status, problem
    assert isinstance(problem["detail"], str) and problem["detail"], problem
    assert problem["request_id"] == answer["X-Request-Id"], problem
    return problem


def check_any_answer(answer, method):
    assert REQUEST_ID.fullmatch(answer["X-Request-Id"]), answer
    if answer.status >= 400 and method != "HEAD":
        check_problem(answer)
    if answer.status == 405:
        assert answer["Allow"], answer
    if answer.status == 503:
        assert re.fullmatch(r"[0-9]+", answer["Retry-After"]), answer
    if answer.status in (204, 304) or method == "HEAD":
        assert answer.body == b"", answer


def check_entry_answer(answer, method):
    """What holds for every answer about an entry, in either view."""
    check_any_answer(answer, method)
    hit_or_write = answer.status < 300 and method != "DELETE"
    if hit_or_write or answer.status == 304:
        assert STRONG_ETAG.fullmatch(answer["ETag"]), answer
    if hit_or_write:
        assert TTL_FIELD.fullmatch(answer["Cache-TTL"]), answer
    if method in ("GET", "HEAD") and answer.status in (200, 206, 304, 404):
        assert answer["Cache-Control"] == "no-cache", answer
        expected = ("cubby; fwd=miss",) if answer.status == 404 else ("cubby; hit", "cubby; hit; detail=stale")
        assert answer["Cache-Status"] in expected, answer


class Api:
    """Requests about the entries of namespace `ns`, on one kept connection to `service`."""

    def __init__(self, service, ns):
        self.service = service
        self.ns = ns
        self._connection = None

    def target(self, view, key, query=""):
        return f"/{view}/{self.ns}/{quote(key)}" + (f"?{query}" if query else "")

    def request(self, method, view, key, body=None, fields=None, query="", target=None):
        if self._connection is None:
            self._connection = self.service.connect()
        target = target if target is not None else self.target(view, key, query)
        self._connection.send(build_request(method, target, list((fields or {}).items()), body))
        answer = self._connection.read(method)
        if answer.closes:
            self.close()
        check_entry_answer(answer, method)
        return answer

    def put(self, key, body, content_type=OCTETS, view="raw", fields=None, query=""):
        fields = {**({"Content-Type": content_type} if content_type else {}), **(fields or {})}
        return self.request("PUT", view, key, body, fields, query)

    def get(self, key, view="raw", fields=None, query=""):
        return self.request("GET", view, key, None, fields, query)

    def head(self, key, view="raw", fields=None, query=""):
        return self.request("HEAD", view, key, None, fields, query)

    def delete(self, key, view="raw", fields=None):
        return self.request("DELETE", view, key, None, fields)

    def patch(self, key, body, fields=None):
        return self.request("PATCH", "cache", key, body, {"Content-Type": JSON, **(fields or {})})

    def stands(self, key):
        """Whether the entry is there."""
        status = self.get(key).status
        assert status in (200, 404), status
        return status == 200

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def ttl_of(answer):
    """Cache-TTL in seconds; infinity for none."""
    field = answer["Cache-TTL"]
    return math.inf if field == "none" else float(field)


def flush(service, body=None, query="", fields=None):
    if body is not None:
        fields = {"Content-Type": JSON, **(fields or {})}
    answer = service.request("POST", "/flush" + (f"?{query}" if query else ""), fields or {}, body)
    check_any_answer(answer, "POST")
    return answer
