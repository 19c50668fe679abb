"""Who may do what: role x method x namespace x route, for every route of the table.

The expectation is written down once, below, as in docs/security.md; the requests are generated. That a route is
missing here is a failure: the routes are those of routes/table.c, and the methods those that the service allows.
"""

import hashlib
import json
import os
import re

import pytest
from support.api import check_any_answer
from support.service import ROOT, Service

MINE, PREFIXED, THEIRS = "mine", "team-9", "theirs"
SCOPES = ("read", "write", "admin")

# Every set of scopes, for two namespaces and for all of them; and those without a good token.
ROLES = {f"{'+'.join(scopes)} of {'all' if everywhere else 'some'}": (scopes, everywhere)
         for bits in range(1, 8) for everywhere in (False, True)
         for scopes in [tuple(scope for n, scope in enumerate(SCOPES) if bits >> n & 1)]}
NOBODY = ("nobody", "a stranger")

OPEN, ANY, ADMIN, DATA, BATCH, FLUSH = "open", "any", "admin", "data", "batch", "flush"
KINDS = {
    "/cache/{ns}/{key}": DATA, "/raw/{ns}/{key}": DATA, "/cache/{ns}": BATCH, "/namespaces": DATA,
    "/namespaces/{ns}": DATA, "/flush": FLUSH, "/counters/{ns}/{key}": DATA, "/limits/{ns}/{key}": DATA,
    "/locks/{ns}/{name}": DATA, "/healthz": OPEN, "/readyz": OPEN, "/capabilities": ANY, "/metrics": ADMIN,
    "/stats": ADMIN, "/openapi.json": OPEN,
}
BODIES = {"/cache/{ns}": b'{"ops":[]}', "/limits/{ns}/{key}": b'{"limit":5,"window":60}',
          "/locks/{ns}/{name}": b'{"ttl":1}'}


def routes():
    with open(os.path.join(ROOT, "routes", "table.c"), encoding="utf-8") as source:
        names = re.findall(r'\.name = "([^"]+)"', source.read())
    assert len(names) >= 15
    return names


def kind_of(route):
    return OPEN if re.match(r"/docs(/|$)", route) else KINDS[route]


def test_every_route_of_the_table_is_decided_here():
    assert all(kind_of(route) for route in routes())


def may(role, kind, method, namespace):
    """The status that a refusal has, or None: it is granted."""
    if kind == OPEN:
        return None
    if role in NOBODY:
        return 401
    scopes, everywhere = ROLES[role]
    if kind == ANY:
        return None
    if kind == ADMIN:
        return None if "admin" in scopes else 403
    if kind == FLUSH and namespace is None:
        return None if "admin" in scopes and everywhere else 403
    needed = {"read"} if method in ("GET", "HEAD") else {"read", "write"} if kind == BATCH else {"write"}
    covered = everywhere or namespace in (None, MINE, PREFIXED)
    return None if needed <= set(scopes) and covered else 403


def token_of(role):
    return f"the-token-of-{role.replace(' ', '-')}"


@pytest.fixture(scope="module")
def guarded(engine, tmp_path_factory):
    tokens = [{"sha256": hashlib.sha256(token_of(role).encode()).hexdigest(), "scopes": list(scopes),
               "namespaces": "*" if everywhere else [MINE, "team-*"]} for role, (scopes, everywhere) in ROLES.items()]
    path = tmp_path_factory.mktemp("tokens") / "tokens.json"
    path.write_text(json.dumps({"tokens": tokens}))
    replica = Service({**engine.settings(), "CACHE_TOKENS_FILE": str(path)}).start()
    yield replica
    replica.stop()


def targets_of(route, kind):
    """Pairs of a namespace, None where the request names none, and the target."""
    if "{ns}" in route:
        return [(ns, re.sub(r"\{(key|name)\}", "k", route.replace("{ns}", ns))) for ns in (MINE, PREFIXED, THEIRS)]
    if kind == FLUSH:
        return [(None, route), *[(ns, f"{route}?namespace={ns}") for ns in (MINE, PREFIXED, THEIRS)]]
    return [(None, route)]


@pytest.mark.parametrize("role", [*NOBODY, *ROLES])
@pytest.mark.parametrize("route", routes())
def test_who_may_do_what(guarded, route, role):
    kind = kind_of(route)
    fields = {} if role == "nobody" else {"Authorization": f"Bearer {token_of(role)}"}
    allowed = guarded.request("OPTIONS", targets_of(route, kind)[0][1])["Allow"].split(", ")
    methods = [method for method in allowed if method != "OPTIONS"]
    assert methods, allowed
    for namespace, target in targets_of(route, kind):
        for method in methods:
            body = BODIES.get(route, b"1") if method in ("PUT", "PATCH", "POST") and kind != FLUSH else None
            answer = guarded.request(method, target, {**fields, "Content-Type": "application/json"}, body)
            check_any_answer(answer, method)
            refused = may(role, kind, method, namespace)
            if refused:
                assert answer.status == refused, (method, target, answer)
                assert (refused == 401) == (answer.get("WWW-Authenticate") is not None), answer
            else:
                assert answer.status not in (401, 403), (method, target, answer)


@pytest.mark.parametrize("role", [*NOBODY, *ROLES])
def test_the_matrix_holds_for_what_the_table_does_not_have(guarded, role):
    fields = {} if role == "nobody" else {"Authorization": f"Bearer {token_of(role)}"}
    for method, target, status in (("GET", "/nothing", 404), ("POST", f"/raw/{MINE}/k", 405), ("GET", "/flush", 405),
                                   ("OPTIONS", f"/raw/{THEIRS}/k", 204), ("GET", "/raw/.x/k", 400)):
        assert guarded.request(method, target, fields).status == status


def test_a_refusal_changes_nothing(guarded):
    root = {"Authorization": f"Bearer {token_of('read+write+admin of all')}"}
    reader = {"Authorization": f"Bearer {token_of('read of all')}"}
    for path in (f"/raw/{MINE}/kept", f"/cache/{MINE}/kept"):
        assert guarded.request("PUT", path, {**root, "Content-Type": "application/json"}, b"1").status < 300
        for fields, status in ((reader, 403), ({}, 401)):
            assert guarded.request("PUT", path, fields, b"2").status == status
            assert guarded.request("DELETE", path, fields).status == status
            assert guarded.request("POST", "/flush", fields).status == status
            assert guarded.request("POST", f"/flush?namespace={MINE}", fields).status == status
            batch = b'{"ops":[{"op":"delete","key":"kept"}]}'
            assert guarded.request("POST", f"/cache/{MINE}", fields, batch).status == status
        assert guarded.request("GET", f"/raw/{MINE}/kept", reader).body == b"1"
