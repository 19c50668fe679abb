"""The check of answers against the document (tests/support/document.py) can fail: made-up answers that it must refuse."""

import pytest

from support.document import faults_of
from support.wire import Response

REQUEST_ID = ("X-Request-Id", "0123456789abcdef")
COUNTER = [REQUEST_ID, ("Date", "x"), ("Content-Type", "application/json"), ("Cache-Control", "no-store")]
TARGET = "/counters/ns/a%2Fb"
PROBLEM = (b'{"type":"/problems/not-found","title":"Not Found","status":404,"detail":"no counter under this key",'
           b'"request_id":"0123456789abcdef"}')
PROBLEM_FIELDS = [REQUEST_ID, ("Date", "x"), ("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")]


def answer(status=200, fields=None, body=b'{"value":1,"ttl":null}'):
    return Response("1.1", status, "", COUNTER if fields is None else fields, body, [])


def without(fields, name):
    return [field for field in fields if field[0] != name]


def test_a_right_answer_passes():
    assert faults_of(answer(), "GET", TARGET) == []
    assert faults_of(answer(404, PROBLEM_FIELDS, PROBLEM), "GET", TARGET) == []


@pytest.mark.parametrize("what, wrong, method, target", [
    ("a status that is not listed", answer(202), "GET", TARGET),
    ("a status of another method", answer(201), "GET", TARGET),
    ("a member that is missing", answer(body=b'{"value":1}'), "GET", TARGET),
    ("a member too many", answer(body=b'{"value":1,"ttl":null,"more":1}'), "GET", TARGET),
    ("a member of another type", answer(body=b'{"value":"1","ttl":null}'), "GET", TARGET),
    ("no object", answer(body=b'[]'), "GET", TARGET),
    ("no body", answer(fields=[REQUEST_ID, ("Date", "x"), ("Cache-Control", "no-store")], body=b""), "GET", TARGET),
    ("another media type", answer(fields=[*without(COUNTER, "Content-Type"), ("Content-Type", "text/plain")]), "GET", TARGET),
    ("a field that is missing", answer(fields=without(COUNTER, "X-Request-Id")), "GET", TARGET),
    ("a field of another form", answer(fields=[*without(COUNTER, "Cache-Control"), ("Cache-Control", "x")]), "GET", TARGET),
    ("a field that is not told of", answer(fields=[*COUNTER, ("ETag", '"0123456789abcdef"')]), "GET", TARGET),
    ("a field that is missing from HEAD", answer(fields=without(COUNTER, "X-Request-Id"), body=b""), "HEAD", TARGET),
    ("a problem of no known type", answer(404, PROBLEM_FIELDS, PROBLEM.replace(b"not-found", b"not-there")), "GET", TARGET),
    ("a problem with a member too many", answer(404, PROBLEM_FIELDS, PROBLEM.replace(b"{", b'{"x":1,', 1)), "GET", TARGET),
    ("a success where no operation is", answer(), "GET", "/nothing"),
    ("a success of a method that is not there", answer(), "PATCH", TARGET),
    ("no problem where no operation is", answer(404), "GET", "/nothing"),
    ("no problem where nobody knows what was asked", answer(500), "GET", None),
    ("an export's line", answer(fields=[*without(COUNTER, "Content-Type"), ("Content-Type", "application/x-ndjson"),
                                        ("Vary", "Accept")], body=b'{"key":"a"}\n{"kee":"b"}\n'), "GET", "/cache/ns"),
])
def test_a_wrong_answer_is_refused(what, wrong, method, target):
    assert faults_of(wrong, method, target) != [], what


@pytest.mark.parametrize("target, path", [
    ("/cache/ns/k", "/cache/{ns}/{key}"), ("/cache/ns/a/b//c/..", "/cache/{ns}/{key}"), ("/cache/ns", "/cache/{ns}"),
    ("/cache/ns?prefix=a/b", "/cache/{ns}"), ("/raw/ns/k?x=/", "/raw/{ns}/{key}"), ("/docs/page.css", "/docs/{asset}"),
    ("http://host:1/healthz", "/healthz"), ("/locks/n/a/b", "/locks/{ns}/{name}"), ("/namespaces/n", "/namespaces/{ns}"),
])
def test_a_target_finds_its_path(document, target, path):
    assert document.operation("GET", target)[0] == path


@pytest.mark.parametrize("target", ["/", "/cach/ns/k", "/docs/other.css", "/healthz/", "*", "/namespaces/a/b"])
def test_a_target_that_has_none_finds_none(document, target):
    assert document.operation("GET", target) is None
