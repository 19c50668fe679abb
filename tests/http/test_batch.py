"""POST /cache/{ns}: many operations in one request."""

import base64
import json
import time

import pytest
from support.api import STRONG_ETAG, check_any_answer, check_problem, flush

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def batch(service, ns):
    def run(*ops, atomic=None, body=None, fields=JSON):
        document = {"ops": list(ops), **({} if atomic is None else {"atomic": atomic})}
        answer = service.request("POST", f"/cache/{ns}", fields, body if body is not None else json.dumps(document).encode())
        check_any_answer(answer, "POST")
        return answer

    return run


def results(answer):
    assert answer.status == 200, answer
    assert answer["Content-Type"] == "application/json"
    return answer.json()["results"]


def put(key, value, **more):
    return {"op": "put", "key": key, "value": value, **more}


def get(key, **more):
    return {"op": "get", "key": key, **more}


def test_results_come_in_order_one_an_operation(batch, service, ns):
    service.request("PUT", f"/raw/{ns}/old", {"Content-Type": "text/plain"}, b"before")
    found = results(batch(get("none"), put("new", {"a": [1, 2]}, ttl=60), put("old", "x", ttl=None), get("new"),
                          {"op": "delete", "key": "none"}, {"op": "touch", "key": "new", "ttl": 5},
                          {"op": "touch", "key": "none", "ttl": 5}, {"op": "delete", "key": "old"}, get("old")))
    assert [result["status"] for result in found] == [404, 201, 200, 200, 404, 200, 404, 200, 404]
    assert found[0]["error"]["type"] == "/problems/not-found" and found[0]["error"]["detail"]
    assert found[1]["created"] is True and 58 < found[1]["ttl"] <= 60
    assert STRONG_ETAG.fullmatch(found[1]["etag"]) and found[1]["bytes"] == len(b'{"a": [1, 2]}')
    assert found[2]["created"] is False and found[2]["ttl"] is None
    assert found[3]["value"] == {"a": [1, 2]} and found[3]["etag"] == found[1]["etag"]
    assert found[3]["content_type"] == "application/json"
    assert 3 < found[5]["ttl"] <= 5 and found[5]["etag"] == found[1]["etag"]


def test_operations_on_one_key_run_in_their_order(batch):
    for first in range(0, 40, 5):  # a trip each, and one deadline for all of a batch
        ops = []
        for n in range(first, first + 5):
            ops += [put("k", n), get("k"), {"op": "delete", "key": "k"}, get("k")]
        found = results(batch(*ops))
        for i, n in enumerate(range(first, first + 5)):
            one, two, three, four = found[4 * i:4 * i + 4]
            assert (one["status"], two["value"], three["status"], four["status"]) == (201, n, 200, 404)


def test_values_keep_their_bytes(batch, service, ns):
    odd = b'{ "n" : 1e400, "big":123456789012345678901234567890, "s":"\\u0000\\ud800", "n" : -0.0 }'
    body = b'{"ops":[{"op":"put","key":"odd","value":' + odd + b'}, {"op":"get", "k\\u0065y":"odd"}]}'
    answer = batch(body=body)
    assert answer.status == 200 and odd in answer.body
    stored = service.request("GET", f"/raw/{ns}/odd")
    assert stored.body == odd and stored["Content-Type"] == "application/json"


def test_a_string_of_another_type_is_stored_as_its_characters(batch, service, ns):
    found = results(batch(put("t", "h\u00e9\n\U0001f600\0", content_type="text/plain; charset=utf-8"), get("t")))
    stored = service.request("GET", f"/raw/{ns}/t")
    assert stored.body == "h\u00e9\n\U0001f600\0".encode() and stored["Content-Type"] == "text/plain; charset=utf-8"
    assert found[1]["value"] == "h\u00e9\n\U0001f600\0" and "encoding" not in found[1]


def test_any_bytes_go_as_base64_keys_too(batch, service, ns):
    key, value = bytes(range(256)), bytes(range(255, -1, -1))
    op = {"key_base64": base64.b64encode(key).decode()}
    found = results(batch({"op": "put", **op, "value_base64": base64.b64encode(value).decode()}, {"op": "get", **op}))
    assert found[1]["encoding"] == "base64" and base64.b64decode(found[1]["value"]) == value
    assert found[1]["content_type"] == "application/octet-stream"
    assert service.request("GET", f"/raw/{ns}/" + "".join(f"%{byte:02x}" for byte in key)).body == value


def test_conditions_hold_for_each_operation(batch):
    first = results(batch(put("k", 1)))[0]["etag"]
    found = results(batch(put("k", 2, if_none_match="*"), put("other", 2, if_none_match="*"),
                          put("k", 3, if_match=[first, '"foreign"']), put("k", 4, if_match=first),
                          put("none", 4, if_match="*"), get("k", if_none_match='"0000000000000000", W/"x"')))
    assert [result["status"] for result in found] == [412, 201, 200, 412, 412, 200]
    assert found[0]["etag"] == first and found[0]["error"]["type"] == "/problems/precondition-failed"
    assert found[3]["etag"] == found[2]["etag"] != first
    now = found[2]["etag"]
    found = results(batch(get("k", if_none_match=now), get("k", if_match=first), get("k", if_match=now),
                          {"op": "delete", "key": "k", "if_match": first}, {"op": "delete", "key": "k", "if_match": [now]},
                          {"op": "touch", "key": "k", "ttl": 5, "if_match": "*"}))
    assert [result["status"] for result in found] == [304, 412, 200, 412, 200, 404]
    assert "value" not in found[0] and found[0]["etag"] == now


@pytest.mark.parametrize("op, words", [
    ({"op": "get"}, '"key": missing'),
    ({"op": "get", "key": ""}, '"key": empty'),
    ({"op": "get", "key": "k" * 1025}, "1024"),
    ({"op": "get", "key": "k", "key_base64": "aw=="}, "key_base64"),
    ({"op": "get", "key_base64": "a"}, "base64"),
    ({"op": "get", "key": 5}, "not a string"),
    ({"op": "get", "key": "k", "ttl": 5}, '"ttl": not for this op'),
    ({"op": "list", "key": "k"}, '"op"'),
    ({"key": "k", "value": 1}, '"op": missing'),
    ({"op": "put", "key": "k"}, '"value": missing'),
    ({"op": "put", "key": "k", "value": 1, "value_base64": ""}, "value_base64"),
    ({"op": "put", "key": "k", "value_base64": "====="}, "base64"),
    ({"op": "put", "key": "k", "value": 1, "content_type": "text/plain"}, "only a string"),
    ({"op": "put", "key": "k", "value": 1, "content_type": "nonsense"}, '"content_type"'),
    ({"op": "put", "key": "k", "value": 1, "ttl": 0}, '"ttl"'),
    ({"op": "put", "key": "k", "value": 1, "ttl": -1}, '"ttl"'),
    ({"op": "put", "key": "k", "value": 1, "ttl": "1y"}, '"ttl"'),
    ({"op": "put", "key": "k", "value": 1, "ttl": 1e300}, '"ttl"'),
    ({"op": "put", "key": "k", "value": 1, "ttl": []}, '"ttl"'),
    ({"op": "put", "key": "k", "value": 1, "idle": True}, '"idle"'),
    ({"op": "put", "key": "k", "value": 1, "tags": "a"}, '"tags"'),
    ({"op": "put", "key": "k", "value": 1, "tags": [""]}, '"tags"'),
    ({"op": "put", "key": "k", "value": 1, "tags": ["t%d" % n for n in range(33)]}, "32 tags"),
    ({"op": "put", "key": "k", "value": 1, "fence_token": 1.5}, '"fence_token"'),
    ({"op": "put", "key": "k", "value": 1, "lease_token": 5}, '"lease_token"'),
    ({"op": "put", "key": "k", "value": 1, "if_match": "unquoted"}, '"if_match"'),
    ({"op": "put", "key": "k", "value": 1, "if_match": [1]}, '"if_match"'),
    ({"op": "put", "key": "k", "value": 1, "colour": 1}, '"colour": unknown member'),
    ({"op": "touch", "key": "k"}, '"ttl": missing'),
    (5, "not"),
    ([], "not a JSON object"),
])
def test_a_malformed_operation_is_400_with_its_index_and_nothing_is_stored(batch, service, ns, op, words):
    problem = check_problem(batch(put("before", 1), op, put("after", 1)), 400)
    assert problem["index"] == 1 and problem["detail"].startswith("ops[1]: ") and words in problem["detail"], problem
    assert service.request("GET", f"/raw/{ns}/before").status == 404


@pytest.mark.parametrize("body, words", [
    (b"", '"ops": missing'), (b" ", "well-formed"), (b"[]", "not a JSON object"), (b"{}", '"ops"'), (b'{"ops":{}}', '"ops"'),
    (b'{"ops":[],"ops":[]}', "twice"), (b'{"ops":[],"colour":1}', '"colour"'), (b'{"ops":[],"atomic":1}', '"atomic"'),
    (b'{"ops":[]}x', "well-formed"), (b'{"ops":[{"op":"get","key":"k"},]}', "well-formed"),
    (b'{"ops":[{"op":"get","key":"k","key":"k"}]}', "twice"), (b'{"ops":[{"op":"get","key":"\\ud800"}]}', "surrogate"),
    (b'{"ops":[{"op":"get","key":"\xff"}]}', "UTF-8"),
])
def test_a_malformed_batch_is_400(batch, body, words):
    assert words in check_problem(batch(body=body), 400)["detail"]


def test_a_thousand_operations_are_taken_and_not_one_more(batch):
    assert results(batch()) == []
    found = results(batch(*[put(f"k{n}", n) for n in range(1000)]))
    assert [result["status"] for result in found] == [201] * 1000
    found = results(batch(*[get(f"k{n}") for n in range(1000)]))
    assert [result["value"] for result in found] == list(range(1000))
    assert "1000" in check_problem(batch(*[get("k")] * 1001), 400)["detail"]


def test_codings_and_parameters_are_refused(batch, service, ns):
    for content_type in ("application/json", "application/x-ndjson", "text/plain"):
        check_problem(batch(fields={"Content-Type": content_type, "Content-Encoding": "gzip"}), 415)
    assert results(batch(fields={**JSON, "Content-Encoding": "identity"})) == []
    check_problem(service.request("POST", f"/cache/{ns}?ttl=5", JSON, b'{"ops":[]}'), 400)


@pytest.mark.parametrize("content_type", [None, "", "application/x-www-form-urlencoded", "text/plain;charset=UTF-8",
                                          "application/vnd.api+json", "nonsense"])
def test_a_batch_comes_under_any_type_but_that_of_an_import(batch, content_type):
    """As other bodies in JSON do: what curl sends with -d is called a form."""
    fields = {} if content_type is None else {"Content-Type": content_type}
    assert [result["status"] for result in results(batch(put("k", 1), get("k"), fields=fields))] == [201, 200]
    assert "well-formed" in check_problem(batch(body=b"ops=1", fields=fields), 400)["detail"]


@pytest.mark.parametrize("method, target, body", [
    ("POST", "/cache/{ns}", {"ops": []}), ("PATCH", "/cache/{ns}/entry", {"ttl": 5}), ("POST", "/flush", {"namespace": "{ns}"}),
    ("POST", "/counters/{ns}/c", {"by": 1}), ("PUT", "/counters/{ns}/d", {"value": 1}),
    ("POST", "/limits/{ns}/l", {"limit": 5, "window": 60}), ("POST", "/locks/{ns}/l", {"ttl": 1}),
])
def test_one_rule_for_every_body_in_json(service, ns, method, target, body):
    def send(**fields):
        fields = {name.replace("_", "-"): value for name, value in fields.items()}
        text = json.dumps(body).replace("{ns}", ns)
        answer = service.request(method, target.replace("{ns}", ns), fields, text.encode())
        check_any_answer(answer, method)
        return answer

    assert service.request("PUT", f"/raw/{ns}/entry", {}, b"v").status == 201
    problem = check_problem(send(Content_Type="application/json", Content_Encoding="gzip"), 415)
    assert "Content-Encoding" in problem["detail"]
    assert service.request("GET", f"/raw/{ns}/entry").status == 200
    assert send(Content_Type="application/x-www-form-urlencoded", Content_Encoding="identity").status in (200, 201)


def test_what_is_no_lease_token_is_a_void_one(batch, capabilities):
    op = put("k", 1, lease_token="zz")
    if not capabilities["supports"]["leases"]:
        check_problem(batch(op), 501)
        return
    found = results(batch(op, put("other", 1)))
    assert [result["status"] for result in found] == [412, 201] and "lease" in found[0]["error"]["detail"]
    if capabilities["supports"]["atomic_batch"]:
        assert check_problem(batch(put("a", 1), op, atomic=True), 412)["index"] == 1
        assert results(batch(get("a")))[0]["status"] == 404


def test_a_value_over_the_limit_is_413_with_the_index(start_service, ns):
    service = start_service(CACHE_MAX_VALUE_BYTES="1000")
    ops = {"ops": [put("a", "x" * 998), put("b", "x" * 999)]}
    problem = check_problem(service.request("POST", f"/cache/{ns}", JSON, json.dumps(ops).encode()), 413)
    assert problem["index"] == 1
    assert service.request("GET", f"/raw/{ns}/a").status == 404


def test_results_over_the_limit_of_memory_are_503(start_service, ns):
    service = start_service(HTTP_MAX_BUFFERED_BYTES="262144")
    assert service.request("PUT", f"/raw/{ns}/k", {}, b"x" * 60_000).status == 201
    answer = service.request("POST", f"/cache/{ns}", JSON, json.dumps({"ops": [get("k")] * 10}).encode())
    check_any_answer(answer, "POST")
    check_problem(answer, 503)
    # What the refused answer held is given back when its exchange ends, shortly after it was sent.
    deadline = time.monotonic() + 5
    while True:
        answer = service.request("POST", f"/cache/{ns}", JSON, json.dumps({"ops": [get("k")]}).encode())
        if answer.status == 200 or time.monotonic() > deadline:
            break
    assert len(answer.json()["results"]) == 1


def test_atomic_is_all_or_none(batch, capabilities, service, ns):
    if not capabilities["supports"]["atomic_batch"]:
        problem = check_problem(batch(put("a", 1), atomic=True), 501)
        assert problem["type"] == "/problems/not-supported-by-engine"
        return
    found = results(batch(put("a", 1), get("a"), get("none"), {"op": "delete", "key": "none"}, atomic=True))
    assert [result["status"] for result in found] == [201, 200, 404, 404] and found[1]["value"] == 1
    problem = check_problem(batch(put("b", 1), put("a", 2, if_none_match="*"), put("c", 1), atomic=True), 412)
    assert problem["index"] == 1
    assert [service.request("GET", f"/raw/{ns}/{key}").status for key in "abc"] == [200, 404, 404]
    assert service.request("GET", f"/raw/{ns}/a").body == b"1"
    check_problem(batch(get("a", if_match="*"), atomic=True), 400)
    assert results(batch(atomic=True)) == []


def test_tags_of_a_batch_are_flushed_like_others(batch, capabilities, service, ns):
    if not capabilities["supports"].get("tags"):
        assert check_problem(batch(put("a", 1, tags=["x"])), 501)["index"] == 0
        return
    results(batch(put("a", 1, tags=["x", "y"]), put("b", 1, tags=["y", "y"]), put("c", 1)))
    assert flush(service, json.dumps({"namespace": ns, "tag": "x"}).encode()).status == 200
    assert [result["status"] for result in results(batch(get("a"), get("b"), get("c")))] == [404, 200, 200]


def test_a_fence_may_be_as_high_as_in_the_field(batch, capabilities):
    if capabilities["supports"].get("fences"):
        found = results(batch(put("a", 1, fence_token=2**63), put("a", 2, fence_token=2**63 - 1)))
        assert [result["status"] for result in found] == [201, 412]
    check_problem(batch(put("a", 1, fence_token=2**63 + 1)), 400)


def test_a_lower_fence_is_412(batch, capabilities):
    if not capabilities["supports"].get("fences"):
        check_problem(batch(put("a", 1, fence_token=5)), 501)
        return
    found = results(batch(put("a", 1, fence_token=5), put("a", 2, fence_token=4), put("a", 3, fence_token=5)))
    assert [result["status"] for result in found] == [201, 412, 200]


def test_a_connection_serves_on_after_a_batch(service, ns):
    body = json.dumps({"ops": [put(f"k{n}", "x" * 100) for n in range(100)]}).encode()
    with service.connect() as connection:
        for _ in range(5):
            assert connection.request("POST", f"/cache/{ns}", JSON, body).status == 200
