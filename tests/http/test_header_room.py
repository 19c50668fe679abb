"""A header section that leaves no room for an answer gets one all the same, and only one."""

import pytest

from support.wire import Connection


def exchange(service, head):
    """The one answer to `head`, after which the connection must have ended."""
    with Connection(service.port) as connection:
        connection.send_tolerant(head)
        answer = connection.read()
        assert connection.closed_within(5), "a second answer, or none, but the connection should have closed"
        return answer


def request_with(line=b"GET /cache/n/k HTTP/1.1", fields=b""):
    return line + b"\r\nHost: h\r\n" + fields + b"\r\n"


def with_cookies(cookies):
    return request_with(fields=b"Cookie: " + b"a=b; " * cookies + b"\r\n")


@pytest.mark.parametrize("cookies", [100, 105])
def test_many_cookies_are_431(service, cookies):
    assert exchange(service, with_cookies(cookies)).status == 431


@pytest.mark.parametrize("cookies", [110, 300])
def test_more_cookies_than_the_library_holds_are_431(service, cookies):
    """libmicrohttpd 0.9.75 answers these itself, and sends its header section twice."""
    with Connection(service.port) as connection:
        connection.send_tolerant(with_cookies(cookies))
        assert connection.read().status == 431


@pytest.mark.parametrize("lines", [101, 110, 113, 114, 150])
def test_many_fields_are_431(service, lines):
    assert exchange(service, request_with(fields=b"X: y\r\n" * lines)).status == 431


@pytest.mark.parametrize("length", [7000, 7100, 7500, 8000])
def test_a_long_field_is_431(service, length):
    assert exchange(service, request_with(fields=b"X: " + b"a" * length + b"\r\n")).status == 431


@pytest.mark.parametrize("parameters", [65, 100, 120, 150, 500, 1500])
def test_many_query_parameters_are_414(service, parameters):
    answer = exchange(service, request_with(b"GET /raw/n/k?" + b"a&" * parameters + b" HTTP/1.1"))
    assert answer.status == 414


def test_a_longest_key_with_everyday_fields_has_room(service):
    key = b"%41" * 1024
    everyday = b"".join(b"X-Field-%d: %s\r\n" % (n, b"v" * 60) for n in range(15))
    with Connection(service.port) as connection:
        connection.send(request_with(b"GET /cache/" + b"n" * 64 + b"/" + key + b" HTTP/1.1", everyday))
        assert connection.read().status == 404
