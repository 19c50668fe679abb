"""304 carries the fields that 200 would have carried (RFC 9110 section 15.4.5)."""

import pytest


@pytest.mark.parametrize("target", ["/raw", "/cache"])
@pytest.mark.parametrize("content_type, body", [("application/json", b'{"a":1}'), ("text/plain", b'a "quoted" text'),
                                                ("application/octet-stream", b"\xff\xfe")])
def test_not_modified_has_the_length_of_the_whole_answer(service, ns, target, content_type, body):
    service.request("PUT", f"/raw/{ns}/k?ttl=none", {"Content-Type": content_type}, body)
    whole = service.request("GET", f"{target}/{ns}/k")
    not_modified = service.request("GET", f"{target}/{ns}/k", {"If-None-Match": whole["ETag"]})
    assert (not_modified.status, not_modified.body) == (304, b"")
    assert not_modified.get("Content-Length", whole["Content-Length"]) == whole["Content-Length"]
    head = service.request("HEAD", f"{target}/{ns}/k")
    assert (head["Content-Length"], head["ETag"]) == (whole["Content-Length"], whole["ETag"])
