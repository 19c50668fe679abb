"""W3C traceparent: carried into the access log when it is valid, and never a reason to refuse."""

import pytest

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _line(service, identity, fields):
    answer = service.request("GET", "/raw/a/k", [("X-Request-Id", identity), *fields])
    assert answer.status == 404
    return service.wait_for_log(lambda entry: entry.get("request_id") == identity and entry["msg"] == "request", 10)


def test_a_valid_one_names_trace_and_parent_in_the_access_log(start_service):
    service = start_service(LOG_ACCESS="on", LOG_ACCESS_RATE="0")
    entry = _line(service, "t1", [("traceparent", f"00-{TRACE}-{PARENT}-01")])
    assert (entry["trace_id"], entry["parent_id"]) == (TRACE, PARENT)
    entry = _line(service, "t2", [("Traceparent", f"cc-{TRACE}-{PARENT}-00-from-the-future")])
    assert (entry["trace_id"], entry["parent_id"]) == (TRACE, PARENT)


@pytest.mark.parametrize("fields", [
    [],
    [("traceparent", "")],
    [("traceparent", f"00-{TRACE}-{PARENT}")],
    [("traceparent", f"00-{TRACE.upper()}-{PARENT}-01")],
    [("traceparent", f"ff-{TRACE}-{PARENT}-01")],
    [("traceparent", f"00-{'0' * 32}-{PARENT}-01")],
    [("traceparent", f"00-{TRACE}-{'0' * 16}-01")],
    [("traceparent", f"00-{TRACE}-{PARENT}-01"), ("traceparent", f"00-{TRACE}-{PARENT}-01")],
    [("traceparent", '"},{"forged":"line')],
])
def test_any_other_is_ignored(start_service, fields):
    service = start_service(LOG_ACCESS="on", LOG_ACCESS_RATE="0")
    entry = _line(service, "t3", fields)
    assert "trace_id" not in entry and "parent_id" not in entry and "forged" not in entry
