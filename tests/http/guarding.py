"""Services with tokens: the files, the fields that show one, and what an answer without one must be."""

import base64
import hashlib
import json
import time

import pytest
from support.api import check_any_answer, check_problem

TOKEN = "s3cr3t-of-the-users-team-0123456789abcdef"
OTHER = "s3cr3t-of-somebody-else-fedcba9876543210"
ROOT_TOKEN = "s3cr3t-of-the-operators-00112233445566"


def entry(token, namespaces="*", scopes=("read", "write"), **more):
    return {"sha256": hashlib.sha256(token.encode()).hexdigest(), "namespaces": namespaces, "scopes": list(scopes),
            **more}


def bearer(token, scheme="Bearer"):
    return {"Authorization": f"{scheme} {token}"}


def basic(password, user="anybody"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture(name="file")
def file_fixture(tmp_path):
    """Writes tokens; `name` is the part of the file's name that differs."""

    def write(tokens, name="tokens.json"):
        path = tmp_path / name
        path.write_text(tokens if isinstance(tokens, str) else json.dumps({"tokens": tokens}))
        return str(path)

    return write


@pytest.fixture(name="guarded")
def guarded_fixture(start_service, file):
    def start(*tokens, **settings):
        return start_service(CACHE_TOKENS_FILE=file(list(tokens)), **settings)

    return start


def ask(service, method, target, fields=(), body=None):
    answer = service.request(method, target, dict(fields), body)
    check_any_answer(answer, method)
    return answer


def check_401(answer, method="GET"):
    assert answer.status == 401, answer
    assert answer["WWW-Authenticate"].startswith('Bearer realm="cubby"'), answer
    assert 'Basic realm="cubby"' in answer["WWW-Authenticate"], answer
    if method != "HEAD":
        assert check_problem(answer, 401)["type"] == "/problems/unauthorized"


def wait_for_status(service, target, fields, status, timeout=10):
    deadline = time.monotonic() + timeout
    while ask(service, "GET", target, fields).status != status:
        assert time.monotonic() < deadline, f"never {status}:\n{service.output()}"
        time.sleep(0.05)
