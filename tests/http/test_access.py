"""CACHE_TOKENS_FILE: who may do what, how a token is sent, and what stays secret."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from guarding import OTHER, ROOT_TOKEN, TOKEN, ask, basic, bearer, check_401, entry
from guarding import file_fixture, guarded_fixture  # noqa: F401, pytest finds them here
from support.api import check_problem
from support.service import ROOT, binary_path, clean_environment, run_once
from support.wire import chunked

EX_CONFIG = 78


# ---- How a token is sent ----

def test_a_bearer_token_or_the_password_of_basic(guarded, ns):
    service = guarded(entry(TOKEN))
    target = f"/raw/{ns}/k"
    for fields in (bearer(TOKEN), bearer(TOKEN, "bearer"), bearer(TOKEN, "BEARER "), basic(TOKEN), basic(TOKEN, ""),
                   basic(TOKEN, "caf\xe9"), {"authorization": "basic " + basic(TOKEN)["Authorization"][6:]}):
        assert ask(service, "PUT", target, fields, b"v").status in (200, 201), fields
        assert ask(service, "GET", target, fields).body == b"v", fields


@pytest.mark.parametrize("value", [
    None, "", "Bearer", "Bearer ", TOKEN, f"Token {TOKEN}", f"Bearer{TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}",
    f"Bearer {TOKEN} {TOKEN}", f"Bearer {TOKEN},", f'Bearer "{TOKEN}"', f"Basic {TOKEN}", "Basic", "Basic !!!!",
    "Basic " + base64.b64encode(TOKEN.encode()).decode(), basic(TOKEN + "\n")["Authorization"],
    basic(TOKEN)["Authorization"] + "=", basic(f"x:{TOKEN}")["Authorization"], "Bearer " + "x" * 1025,
    "Basic " + "A" * 3000, f"Bearer {hashlib.sha256(TOKEN.encode()).hexdigest()}", "Digest username=x",
])
def test_anything_else_is_401(guarded, ns, value):
    service = guarded(entry(TOKEN))
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = ask(service, method, f"/raw/{ns}/k", {"Authorization": value}, b"v" if method == "PUT" else None)
        check_401(answer, method)
    assert ask(service, "GET", f"/raw/{ns}/k", bearer(TOKEN)).status == 404


def test_two_authorization_fields_are_not_both_believed(guarded, ns):
    service = guarded(entry(TOKEN))
    answer = service.request("GET", f"/raw/{ns}/k", [("Authorization", f"Bearer {TOKEN}"),
                                                     ("Authorization", f"Bearer {OTHER}")])
    check_problem(answer, 400)


def test_several_tokens_are_valid_at_once(guarded, ns):
    tokens = [f"token-number-{n}" for n in range(50)]
    service = guarded(*[entry(token) for token in tokens])
    for token in tokens:
        assert ask(service, "GET", f"/raw/{ns}/k", bearer(token)).status == 404
    check_401(ask(service, "GET", f"/raw/{ns}/k", bearer("token-number-50")))


def test_an_empty_list_lets_nobody_in(guarded, ns):
    service = guarded()
    check_401(ask(service, "GET", f"/raw/{ns}/k", bearer(TOKEN)))
    check_401(ask(service, "GET", f"/raw/{ns}/k"))
    assert ask(service, "GET", "/healthz").status == 200


def test_a_connection_is_not_remembered(guarded, ns):
    service = guarded(entry(TOKEN))
    with service.connect() as connection:
        assert connection.request("GET", f"/raw/{ns}/k", bearer(TOKEN)).status == 404
        assert connection.request("GET", f"/raw/{ns}/k").status == 401
        assert connection.request("GET", f"/raw/{ns}/k", bearer(TOKEN)).status == 404


def test_a_remembered_password_is_not_taken_from_another_sites_page(guarded, ns):
    service = guarded(entry(TOKEN))
    target = f"/flush?namespace={ns}"
    for site in ("cross-site", "same-site"):
        check_problem(ask(service, "POST", target, {**basic(TOKEN), "Sec-Fetch-Site": site}), 403)
        assert ask(service, "POST", target, {**bearer(TOKEN), "Sec-Fetch-Site": site}).status == 200
    for site in ("same-origin", "none"):
        assert ask(service, "POST", target, {**basic(TOKEN), "Sec-Fetch-Site": site}).status == 200


# ---- Before the body ----

def test_it_is_decided_before_the_body_is_read(guarded, ns):
    service = guarded(entry(TOKEN, scopes=["read"]))
    for fields, status in (({}, 401), (bearer(TOKEN), 403)):
        with service.connect() as connection:
            head = f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            connection.send((head + "\r\n").encode())
            answer = connection.read("PUT")
            assert answer.status == status and answer.interim == [] and answer.closes, answer
    with service.connect() as connection:
        connection.send(f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        connection.send_tolerant(chunked([b"x" * 1000] * 10))
        assert connection.read("PUT").status == 401


def test_refusals_take_no_place_in_flight(guarded, ns):
    service = guarded(entry(TOKEN), HTTP_MAX_IN_FLIGHT="1", HTTP_THREADS="1")
    held = service.connect()
    held.send((f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
               "Content-Length: 10\r\n\r\n").encode())
    deadline = time.monotonic() + 5
    while ask(service, "GET", f"/raw/{ns}/k", bearer(TOKEN)).status != 503:
        assert time.monotonic() < deadline
    check_401(ask(service, "GET", f"/raw/{ns}/k"))
    held.close()


# ---- Flush ----

def test_a_flush_of_one_namespace_takes_write_there(guarded, ns):
    service = guarded(entry(TOKEN, [ns], ["write"]), entry(OTHER, [ns + "x"], ["write"]),
                      entry("reader", "*", ["read"]), entry("admin", "*", ["admin"]))
    body = json.dumps({"namespace": ns}).encode()
    for target, content in ((f"/flush?namespace={ns}", None), ("/flush", body)):
        assert ask(service, "POST", target, bearer(TOKEN), content).status == 200
        for token in (OTHER, "reader", "admin"):
            check_problem(ask(service, "POST", target, bearer(token), content), 403)
        check_401(ask(service, "POST", target, {}, content))


def test_a_flush_of_everything_takes_admin_everywhere(guarded, ns):
    service = guarded(entry(TOKEN, [ns], ["read", "write", "admin"]), entry(OTHER, "*", ["read", "write"]),
                      entry("root", ["*"], ["admin"]))
    for body in (None, b"{}"):
        check_problem(ask(service, "POST", "/flush", bearer(TOKEN), body), 403)
        check_problem(ask(service, "POST", "/flush", bearer(OTHER), body), 403)
        assert ask(service, "POST", "/flush", bearer("root"), body).json() == {"flushed": "*"}


# ---- Listings ----

def test_namespaces_are_told_to_those_that_they_are_for(guarded, tmp_path, capabilities, ns):
    policies = tmp_path / "namespaces.json"
    policies.write_text(json.dumps({f"{ns}-{part}": {} for part in ("a1", "a2", "b1", "b2", "c")}))
    service = guarded(entry(TOKEN, [f"{ns}-a*", f"{ns}-c", f"{ns}-e"]), entry(ROOT_TOKEN),
                      CACHE_NAMESPACES_FILE=str(policies))
    if capabilities["supports"]["list"]:
        for part in ("d", "e"):
            assert ask(service, "PUT", f"/raw/{ns}-{part}/k", bearer(ROOT_TOKEN), b"v").status == 201

    def told(token, limit):
        seen, cursor = [], None
        for _ in range(200):
            query = f"?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
            page = ask(service, "GET", "/namespaces" + query, bearer(token)).json()
            seen += [item["namespace"] for item in page["namespaces"]]
            cursor = page["cursor"]
            if cursor is None:
                return sorted(name for name in seen if name.startswith(ns + "-"))
        raise AssertionError("no end")

    listed = ["d", "e"] if capabilities["supports"]["list"] else []
    for limit in (1, 2, 100):
        assert told(ROOT_TOKEN, limit) == [f"{ns}-{part}" for part in ["a1", "a2", "b1", "b2", "c"] + listed]
        assert told(TOKEN, limit) == [f"{ns}-{part}" for part in ["a1", "a2", "c"] + listed[1:]]
    assert ask(service, "GET", f"/namespaces/{ns}-a1", bearer(TOKEN)).status == 200
    check_problem(ask(service, "GET", f"/namespaces/{ns}-b1", bearer(TOKEN)), 403)


# ---- Who is served at all ----

# A network of its own, where 192.0.2.9 is this machine and no loopback address; nothing else can be reached there.
NETWORK = "ip link set lo up && ip addr add 192.0.2.9/32 dev lo && exec \"$@\""
REMOTE = """
import json, sys
from support.service import Service
from support.wire import Connection
service = Service(json.loads(sys.argv[1])).start()
ports = [service.port] + [int(line["port"]) for line in service.log() if line["msg"] == "admin port"]
for port, target, token in json.loads(sys.argv[2]):
    with Connection(ports[port], host="192.0.2.9") as connection:
        print(connection.request("GET", target, {"Authorization": token}).status)
service.stop()
"""


def statuses_from_afar(settings, requests):
    """Of requests (port, target, Authorization) of a client whose address is not loopback."""
    network = ["unshare", "-rn", "sh", "-c", NETWORK, "sh"]
    if subprocess.run([*network, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no network namespaces here")
    done = subprocess.run([*network, sys.executable, "-c", REMOTE, json.dumps(settings), json.dumps(requests)],
                          env={**os.environ, "PYTHONPATH": os.path.join(ROOT, "tests"), "CUBBY_TEST_DOCUMENT": "off"}, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    return [int(line) for line in done.stdout.split()]


def test_other_machines_are_served_with_tokens_and_not_without(file):
    requests = [(0, "/raw/a/k", f"Bearer {TOKEN}"), (0, "/raw/a/k", None), (0, "/healthz", None)]
    everywhere = {"HTTP_HOST": "0.0.0.0", "CACHE_ENGINE": "memory"}
    assert statuses_from_afar({**everywhere, "CACHE_TOKENS_FILE": file([entry(TOKEN)])}, requests) == [404, 401, 200]
    assert statuses_from_afar(everywhere, requests) == [403, 403, 200]
    assert statuses_from_afar({**everywhere, "CACHE_AUTH": "off"}, requests) == [404, 404, 200]


def test_whoever_reaches_the_admin_port_is_served():
    settings = {"HTTP_HOST": "0.0.0.0", "CACHE_ENGINE": "memory", "ADMIN_HOST": "0.0.0.0", "ADMIN_PORT": "0"}
    requests = [(1, "/healthz", None), (1, "/raw/a/k", None), (0, "/healthz", None), (0, "/raw/a/k", None)]
    assert statuses_from_afar(settings, requests) == [200, 404, 200, 403]


FOREIGN = [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "Origin": "http://{host}"},
           {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://{host}.evil.example"}]
OWN = [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://{host}"},
       {"Sec-Fetch-Site": "same-origin", "Origin": "https://a.proxy"}]


@pytest.mark.parametrize("auth", ["on", "off"])
def test_without_tokens_a_page_of_another_site_may_change_nothing(start_service, ns, auth):
    service = start_service(CACHE_AUTH=auth)
    host = f"127.0.0.1:{service.port}"
    assert ask(service, "PUT", f"/raw/{ns}/k", {}, b"v").status == 201

    def sent(fields):
        return {"Host": host, **{name: value.format(host=host) for name, value in fields.items()}}

    for fields in FOREIGN:
        for method, target in (("POST", f"/flush?namespace={ns}"), ("PUT", f"/raw/{ns}/k"), ("DELETE", f"/raw/{ns}/k"),
                               ("POST", f"/counters/{ns}/n")):
            check_problem(ask(service, method, target, sent(fields), b"" if method == "PUT" else None), 403)
        assert ask(service, "GET", f"/raw/{ns}/k", sent(fields)).body == b"v"
    for fields in OWN:
        assert ask(service, "PUT", f"/raw/{ns}/k", sent(fields), b"w").status == 200, fields


# ---- Files at fault ----

GOOD = entry(TOKEN, ["users", "team-*"], ["read"], name="users team")


def but(**members):
    return json.dumps({"tokens": [{**GOOD, **members}]})


def without(member):
    return json.dumps({"tokens": [{name: value for name, value in GOOD.items() if name != member}]})


FAULTS = [
    ("{", "not well-formed JSON"), ("[]", "not a JSON object with a list"), ("{}", "not a JSON object with a list"),
    ('{"tokens":{}}', "not a JSON object with a list"), ('{"tokens":[],"tokens":[]}', "a name twice"),
    ('{"tokens":[],"more":1}', "unknown members"), ('{"tokens":[1]}', "tokens[0]: not an object"),
    (without("sha256"), "tokens[0]: sha256: missing"), (without("namespaces"), "tokens[0]: namespaces: missing"),
    (without("scopes"), "tokens[0]: scopes: missing"), (but(token="x"), "tokens[0]: an unknown member"),
    (but(sha256=TOKEN), "tokens[0]: sha256: not 64"), (but(sha256="0" * 63), "tokens[0]: sha256: not 64"),
    (but(sha256="0" * 66), "tokens[0]: sha256: not 64"), (but(sha256="g" * 64), "tokens[0]: sha256: not 64"),
    (but(sha256=5), "tokens[0]: sha256: not 64"), (but(sha256="0" * 62 + " 0"), "tokens[0]: sha256: not 64"),
    (but(namespaces="users"), "tokens[0]: namespaces: neither"), (but(namespaces=[]), "tokens[0]: namespaces: neither"),
    (but(namespaces={}), "tokens[0]: namespaces: neither"), (but(namespaces=["a", ""]), "tokens[0]: namespaces[1]: "),
    (but(namespaces=["a b"]), "tokens[0]: namespaces[0]: "), (but(namespaces=["*a"]), "tokens[0]: namespaces[0]: "),
    (but(namespaces=[".a"]), "tokens[0]: namespaces[0]: "), (but(namespaces=["a" * 65]), "tokens[0]: namespaces[0]: "),
    (but(namespaces=["a\0b"]), "tokens[0]: "), (but(namespaces=[1]), "tokens[0]: namespaces[0]: "),
    (but(namespaces=["a"] * 257), "namespaces: more than 256"), (but(scopes=[]), "tokens[0]: scopes: not a list"),
    (but(scopes="read"), "tokens[0]: scopes: not a list"), (but(scopes=["read", "Write"]), "tokens[0]: scopes[1]: "),
    (but(scopes=["*"]), "tokens[0]: scopes[0]: "), (but(scopes=[None]), "tokens[0]: scopes[0]: "),
    (but(name=""), "tokens[0]: name: "), (but(name="x" * 65), "tokens[0]: name: "), (but(name="a\tb"), "name: "),
    (but(name=5), "tokens[0]: name: "),
    (json.dumps({"tokens": [GOOD, {**GOOD, "scopes": ["admin"]}]}), "tokens[1]: sha256: the same as that of tokens[0]"),
    (json.dumps({"tokens": [entry(str(n)) for n in range(1025)]}), "more than 1024 tokens"),
]


@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["start", "check"])
@pytest.mark.parametrize("text, fault", FAULTS, ids=range(len(FAULTS)))
def test_a_file_at_fault_stops_the_start(file, arguments, text, fault):
    if "\\u0000" in text:
        fault = "not well-formed JSON"
    done = run_once(*arguments, settings={"CACHE_TOKENS_FILE": file(text), "HTTP_PORT": "0"})
    assert done.returncode == EX_CONFIG, done
    assert "CACHE_TOKENS_FILE: " in done.stderr and fault in done.stderr, done.stderr


def test_every_fault_is_named_and_none_shows_the_file(file):
    """A token that was put where its hash belongs must not get into a log."""
    path = file(json.dumps({"tokens": [{**GOOD, "sha256": TOKEN, TOKEN: TOKEN}, GOOD, {**GOOD, "scopes": [TOKEN],
                                       "namespaces": [TOKEN + " "], "name": TOKEN * 3, "sha256": "0" * 64}]}))
    done = run_once("--check", settings={"CACHE_TOKENS_FILE": path, "HTTP_PORT": "x"})
    assert done.returncode == EX_CONFIG
    for fault in ("tokens[0]: sha256", "tokens[0]: an unknown", "tokens[2]: scopes[0]", "tokens[2]: namespaces[0]",
                  "tokens[2]: name", "HTTP_PORT"):
        assert fault in done.stderr, done.stderr
    assert "tokens[1]" not in done.stderr
    assert TOKEN not in done.stderr + done.stdout and GOOD["sha256"] not in done.stderr + done.stdout
    broken = run_once("--check", settings={"CACHE_TOKENS_FILE": file('{"tokens": [' + TOKEN + "]}")})
    assert broken.returncode == EX_CONFIG and TOKEN[:6] not in broken.stderr, broken


def test_a_missing_or_empty_file_stops_the_start(file, tmp_path):
    for path in (str(tmp_path / "none.json"), str(tmp_path), file("", "empty.json")):
        done = run_once("--check", settings={"CACHE_TOKENS_FILE": path})
        assert done.returncode == EX_CONFIG and path in done.stderr, done


def test_tokens_and_no_access_control_contradict_each_other(file):
    done = run_once("--check", settings={"CACHE_TOKENS_FILE": file([GOOD]), "CACHE_AUTH": "off"})
    assert done.returncode == EX_CONFIG and "CACHE_AUTH" in done.stderr and "CACHE_TOKENS_FILE" in done.stderr, done


def test_a_good_file_passes_the_check(file):
    done = run_once("--check", settings={"CACHE_TOKENS_FILE": file([GOOD, entry(OTHER)])})
    assert done.returncode == 0, done


# ---- What stays secret ----

def test_nothing_secret_is_told(guarded, file, ns):
    sent = [TOKEN, OTHER, basic(TOKEN)["Authorization"][6:]]
    hidden = sent + [hashlib.sha256(token.encode()).hexdigest() for token in (TOKEN, OTHER, ROOT_TOKEN)]
    service = guarded(entry(TOKEN, [ns], ["read"], name="labelled"), entry(ROOT_TOKEN), LOG_LEVEL="debug")
    texts = []
    for fields in (bearer(TOKEN), bearer(OTHER), basic(TOKEN), basic(OTHER)):
        for method, target in (("GET", f"/raw/{ns}/k"), ("PUT", f"/cache/{ns}/k"), ("GET", f"/raw/{ns}x/k"),
                               ("POST", "/flush"), ("GET", "/capabilities"), ("GET", "/nothing"),
                               ("GET", f"/cache/{ns}/k?x=1")):
            answer = service.request(method, target, fields, b"1" if method == "PUT" else None)
            texts.append(repr(answer))
    file([entry(TOKEN), {"sha256": TOKEN}])
    service.process.send_signal(signal.SIGHUP)
    service.wait_for_log(lambda line: "old ones stay" in line.get("msg", ""), 10)
    for name in ("cmdline", "environ"):
        with open(f"/proc/{service.process.pid}/{name}", "rb") as source:
            texts.append(source.read().decode("latin-1"))
    for argument in ("--help", "--help-markdown", "--check", "--version"):
        done = subprocess.run([binary_path(), argument], env=clean_environment(service.settings), text=True,
                              capture_output=True, timeout=30, check=False)
        texts.append(done.stdout + done.stderr)
    service.stop()
    texts.append(service.output())
    assert "settings" in service.output() and f'"{ns}"' in service.output(), "the log was not looked at"
    assert '"caller":"labelled"' in service.output()
    for secret in hidden:
        assert not any(secret.lower() in text.lower() for text in texts), secret
