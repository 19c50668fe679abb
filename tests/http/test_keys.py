"""Namespaces and keys: which are valid, and that no two different ones meet."""

import base64
import itertools

import pytest
from support.api import check_any_answer, check_problem
from support.wire import quote

pytestmark = pytest.mark.smoke


def _put(service, target, body=b"v"):
    answer = service.request("PUT", target, {"Content-Type": "text/plain"}, body)
    check_any_answer(answer, "PUT")
    return answer


def _get(service, target):
    answer = service.request("GET", target)
    check_any_answer(answer, "GET")
    return answer


@pytest.mark.parametrize("name", ["a", "Z", "0", "_", "-", "a.b", "a..", "a" * 64, "-._", "CON", "cache", "null"])
def test_a_valid_namespace_is_served(service, view, name):
    assert _put(service, f"/{view}/{name}/k").status in (200, 201)
    assert _get(service, f"/raw/{name}/k").body == b"v"


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a" * 65, "a%20b", "a%2Fb", "a%00b", "a+b", "a:b", "a*", "a~b",
                                  "%C3%A9", "a@b", "a,b", "a%", "%zz", "a;b", "a=b", "a!"])
def test_an_invalid_namespace_is_400(service, view, name):
    for method in ("GET", "PUT", "DELETE"):
        answer = service.request(method, f"/{view}/{name}/k", {}, b"v" if method == "PUT" else None)
        check_problem(answer, 400)


def test_namespaces_tell_upper_case_from_lower(service, ns):
    _put(service, f"/raw/{ns}a/k", b"lower")
    _put(service, f"/raw/{ns}A/k", b"upper")
    assert _get(service, f"/raw/{ns}a/k").body == b"lower"


def test_an_empty_key_is_400(service, ns, view):
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = service.request(method, f"/{view}/{ns}/", {}, b"v" if method == "PUT" else None)
        assert answer.status == 400


@pytest.mark.parametrize("key", ["%", "%4", "%zz", "a%", "a%4", "%4g", "%g4", "%%41", "%-1", "%+1", "%u0041"])
def test_a_bad_escape_in_a_key_is_400(service, ns, view, key):
    check_problem(_get(service, f"/{view}/{ns}/{key}"), 400)
    check_problem(_put(service, f"/{view}/{ns}/{key}"), 400)


def test_a_key_may_hold_every_byte_value_and_each_is_a_key_of_its_own(api):
    for byte in range(256):
        assert api.put(bytes([byte]), b"alone %d" % byte).status == 201
        assert api.put(b"<" + bytes([byte]) + b">", b"inside %d" % byte).status == 201
    for byte in range(256):
        assert api.get(bytes([byte])).body == b"alone %d" % byte
        assert api.get(b"<" + bytes([byte]) + b">").body == b"inside %d" % byte


def test_the_envelope_names_every_key_exactly(api):
    for byte in range(256):
        key = b"k" + bytes([byte])
        api.put(key, b"v")
        for body in (api.get(key, "cache").json(), api.put(key, b"v", view="cache").json()):
            if byte < 0x80:
                assert body["key"] == key.decode() and "key_base64" not in body
            else:
                assert base64.b64decode(body["key_base64"], validate=True) == key and "key" not in body
    api.put("\u00e9\u6f22\U0001f600", b"v")
    assert api.get("\u00e9\u6f22\U0001f600", "cache").json()["key"] == "\u00e9\u6f22\U0001f600"


def test_a_slash_in_a_key_may_be_escaped_or_not(service, ns):
    _put(service, f"/raw/{ns}/a/b", b"one")
    assert _get(service, f"/raw/{ns}/a%2Fb").body == b"one"
    assert _get(service, f"/raw/{ns}/a%2fb").body == b"one"
    assert _put(service, f"/raw/{ns}/a%2Fb", b"two").status == 200
    assert _get(service, f"/cache/{ns}/a/b").json()["key"] == "a/b"


def test_a_key_is_decoded_exactly_once(service, ns):
    _put(service, f"/raw/{ns}/a%252Fb", b"percent")
    _put(service, f"/raw/{ns}/a%2Fb", b"slash")
    assert _get(service, f"/raw/{ns}/a%252Fb").body == b"percent"
    assert _get(service, f"/cache/{ns}/a%252Fb").json()["key"] == "a%2Fb"


def test_an_escaped_letter_is_that_letter(service, ns):
    _put(service, f"/raw/{ns}/%61%62c", b"v")
    assert _get(service, f"/raw/{ns}/abc").body == b"v"


def test_plus_is_a_plus_and_not_a_space(service, ns):
    _put(service, f"/raw/{ns}/a+b", b"plus")
    _put(service, f"/raw/{ns}/a%20b", b"space")
    assert _get(service, f"/raw/{ns}/a%2Bb").body == b"plus"
    assert _get(service, f"/raw/{ns}/a+b").body == b"plus"


ODD_PATHS = [".", "..", "./a", "../a", "a/.", "a/..", "a/../b", "a/./b", "/", "//", "/a", "//a", "a//b", "a/", "a//",
             "...", ".a", "a/b", "a", "b", "%2e%2E/x", ";a", "a;b=c", "a:b", "a=b&c", "~", "a@b", "!$'()*,"]


def test_dots_and_double_slashes_are_not_normalised(service, ns):
    keys = list(dict.fromkeys(ODD_PATHS))
    for number, key in enumerate(keys):
        assert _put(service, f"/raw/{ns}/{key}", b"%d" % number).status == 201, key
    for number, key in enumerate(keys):
        assert _get(service, f"/raw/{ns}/{key}").body == b"%d" % number, key
    assert _get(service, f"/cache/{ns}/a/../b").json()["key"] == "a/../b"


def test_a_path_that_climbs_out_stays_a_key(service, ns):
    _put(service, f"/raw/{ns}/secret", b"secret")
    assert _get(service, f"/raw/{ns}x/../{ns}/secret").status == 404
    assert _get(service, f"/raw/{ns}x/..%2F{ns}%2Fsecret").status == 404


def test_an_escaped_question_mark_belongs_to_the_key_and_a_bare_one_does_not(service, ns):
    _put(service, f"/raw/{ns}/a%3Fttl=5", b"v")
    assert _get(service, f"/raw/{ns}/a").status == 404
    assert _get(service, f"/raw/{ns}/a%3Fttl=5").body == b"v"


@pytest.mark.parametrize("length", [1, 2, 249, 250, 251, 255, 256, 257, 511, 1023, 1024])
def test_keys_of_up_to_1024_bytes_are_served(api, length):
    assert api.put(b"k" * length, b"%d" % length).status == 201
    assert api.get(b"k" * length).body == b"%d" % length
    assert api.get(b"k" * length, "cache").json()["key"] == "k" * length


def test_a_key_of_1024_bytes_may_be_escaped_throughout(api):
    key = bytes(range(256)) * 4
    assert api.put(key, b"v").status == 201
    target = f"/raw/{api.ns}/" + "".join(f"%{byte:02x}" for byte in key)
    assert api.request("GET", "raw", None, target=target).body == b"v"


@pytest.mark.parametrize("length", [1025, 1026, 2000, 4000])
def test_a_longer_key_is_414(service, ns, view, length):
    check_problem(_put(service, f"/{view}/{ns}/" + "k" * length), 414)
    check_problem(_get(service, f"/{view}/{ns}/" + "k" * length), 414)
    assert _get(service, f"/raw/{ns}/" + "k" * 1024).status == 404


def test_1025_escaped_bytes_are_414_too(service, ns):
    check_problem(_get(service, f"/raw/{ns}/" + "%00" * 1025), 414)


def test_long_keys_that_share_a_thousand_bytes_do_not_meet(api):
    keys = [b"x" * 1000 + bytes([a, b]) for a, b in itertools.product(b"\x00\x20az", repeat=2)]
    for key in keys:
        api.put(key, key)
    assert [api.get(key).body for key in keys] == keys


def test_pairs_of_namespace_and_key_that_join_alike_do_not_meet(service, ns):
    pairs = [(ns, "a/b"), (ns, "a.b"), (ns + ".a", "b"), (ns + "-a", "b"), (ns + "_a", "b"), (ns, ".a/b"), (ns, "a:b"),
             (ns + "a", "b"), (ns, "ab"), (ns, "b"), (ns, "a\0b"), (ns, f"{ns}/a")]
    for space, key in pairs:
        assert _put(service, f"/raw/{space}/{quote(key)}", f"{space}|{key}".encode()).status == 201
    for space, key in pairs:
        assert _get(service, f"/raw/{space}/{quote(key)}").body == f"{space}|{key}".encode()
