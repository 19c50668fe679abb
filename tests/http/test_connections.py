"""Connections: kept, pipelined, closed; HTTP/1.0; many at a time."""

import threading

import pytest
from support.wire import build_request, chunked

pytestmark = pytest.mark.smoke


def test_a_connection_serves_many_requests(service, ns):
    with service.connect() as connection:
        for number in range(200):
            answer = connection.request("PUT", f"/raw/{ns}/k", {}, b"%d" % number)
            assert answer.status in (200, 201) and not answer.closes
        assert connection.request("GET", f"/raw/{ns}/k").body == b"199"


def test_errors_of_the_route_keep_the_connection(service, ns):
    with service.connect() as connection:
        for target, status in ((f"/raw/{ns}/no", 404), ("/nothing", 404), (f"/raw/{ns}/%zz", 400), ("/flush", 405),
                               (f"/cache/{ns}/k?x=1", 400), (f"/raw/{ns}/" + "k" * 1025, 414)):
            assert connection.request("GET", target).status == status
        assert connection.request("GET", "/healthz").status == 200


def test_pipelined_requests_are_answered_in_order(service, ns):
    count = 60
    batch = b"".join(build_request("PUT", f"/raw/{ns}/{n}", {"X-Request-Id": f"put-{n}"}, b"value %d" % n)
                     + build_request("GET", f"/raw/{ns}/{n}", {"X-Request-Id": f"get-{n}"}) for n in range(count))
    with service.connect() as connection:
        connection.send(batch)
        for number in range(count):
            put, get = connection.read(), connection.read()
            assert (put.status, put["X-Request-Id"]) == (201, f"put-{number}")
            assert (get.body, get["X-Request-Id"]) == (b"value %d" % number, f"get-{number}")


def test_a_pipeline_may_mix_methods_framings_and_errors(service, ns):
    mix = [("PUT", f"/raw/{ns}/a", [("Transfer-Encoding", "chunked")], chunked([b"one"]), 201),
           ("HEAD", f"/raw/{ns}/a", [], None, 200), ("GET", "/nothing", [], None, 404),
           ("GET", f"/cache/{ns}/a", [], None, 200), ("DELETE", f"/raw/{ns}/a", [], None, 204),
           ("GET", f"/raw/{ns}/a", [], None, 404), ("POST", "/flush", [], b'{"namespace":"%s"}' % ns.encode(), 200),
           ("GET", "/healthz", [], None, 200)]
    with service.connect() as connection:
        connection.send(b"".join(build_request(method, target, fields, body) for method, target, fields, body, _ in mix))
        assert [connection.read(method).status for method, *_ in mix] == [status for *_, status in mix]


def test_a_pipeline_cut_at_any_byte_makes_no_difference(service, ns):
    batch = build_request("PUT", f"/raw/{ns}/k", {}, b"body") + build_request("GET", f"/raw/{ns}/k")
    for at in range(1, len(batch), 7):
        with service.connect() as connection:
            connection.send(batch[:at])
            connection.send(batch[at:])
            assert connection.read().status in (200, 201)
            assert connection.read().body == b"body"


def test_connection_close_is_honoured(service):
    with service.connect() as connection:
        answer = connection.request("GET", "/healthz", {"Connection": "close"})
        assert answer.status == 200 and answer.closes
        assert connection.closed_within(5)


def test_what_is_pipelined_behind_connection_close_is_not_served(service, ns):
    with service.connect() as connection:
        connection.send(build_request("GET", "/healthz", {"Connection": "close"})
                        + build_request("PUT", f"/raw/{ns}/hidden", {}, b"v"))
        assert connection.read().status == 200
        assert connection.closed_within(5)
    assert service.request("GET", f"/raw/{ns}/hidden").status == 404


def test_http_1_0_is_served_and_closed(service, ns):
    with service.connect() as connection:
        answer = connection.request("PUT", f"/raw/{ns}/k", {}, b"v", version="1.0")
        assert answer.status == 201
        assert connection.closed_within(5)
    with service.connect() as connection:
        connection.send(f"GET /raw/{ns}/k HTTP/1.0\r\n\r\n".encode())
        answer = connection.read()
        assert answer.status == 200 and answer.body == b"v"
        assert not answer.all("Transfer-Encoding")
        assert connection.closed_within(5)


def test_http_1_0_never_gets_an_interim_answer(service, ns):
    with service.connect() as connection:
        fields = {"Expect": "100-continue"}
        answer = connection.request("PUT", f"/raw/{ns}/k", fields, b"v", version="1.0")
        assert answer.status == 201 and answer.interim == []


def test_http_1_0_may_ask_to_keep_the_connection(service):
    with service.connect() as connection:
        answer = connection.request("GET", "/healthz", {"Connection": "keep-alive"}, version="1.0")
        assert answer.status == 200
        if "keep-alive" in (answer.get("Connection") or "").lower():
            assert connection.request("GET", "/healthz", version="1.0").status == 200


def test_field_names_are_read_in_any_case_and_blanks_around_values_are_not_part_of_them(service, ns):
    request = (f"PUT /raw/{ns}/k HTTP/1.1\r\nhOsT:h\r\nCONTENT-LENGTH: \t 3\r\ncontent-TYPE:\ttext/x \t\r\n\r\nabc")
    with service.connect() as connection:
        connection.send(request.encode())
        assert connection.read().status == 201
        assert connection.request("GET", f"/raw/{ns}/k")["Content-Type"] == "text/x"


def test_a_blank_line_before_a_request_is_overlooked(service):
    with service.connect() as connection:
        connection.send(b"\r\n" + build_request("GET", "/healthz"))
        assert connection.read().status == 200


def test_an_absolute_target_is_served_as_its_path(service, ns):
    service.request("PUT", f"/raw/{ns}/k", {}, b"v")
    answer = service.request("GET", f"http://127.0.0.1/raw/{ns}/k")
    assert answer.status == 200 and answer.body == b"v"


def test_a_client_that_leaves_in_the_middle_harms_nobody(service, ns):
    service.request("PUT", f"/raw/{ns}/big", {}, b"x" * 4_000_000)
    for request in (b"G", b"GET /raw/", build_request("GET", f"/raw/{ns}/big"),
                    build_request("PUT", f"/raw/{ns}/k", {"Content-Length": "100"}) + b"half",
                    build_request("GET", f"/raw/{ns}/big") * 20):
        for _ in range(5):
            connection = service.connect()
            connection.send(request)
            connection.close()
    assert service.request("GET", "/healthz").status == 200


def test_a_client_that_reads_slowly_gets_all_of_it(service, ns):
    value = bytes(range(256)) * 16_000
    service.request("PUT", f"/raw/{ns}/big", {}, value)
    with service.connect() as connection:
        connection.send(build_request("GET", f"/raw/{ns}/big") * 3)
        for _ in range(3):
            assert connection.read().body == value


def test_two_hundred_connections_are_served_side_by_side(service, ns):
    connections = [service.connect() for _ in range(200)]
    try:
        for number, connection in enumerate(connections):
            connection.send(build_request("PUT", f"/raw/{ns}/{number}", {}, b"%d" % number))
        assert {connection.read().status for connection in connections} == {201}
        for number, connection in enumerate(reversed(connections)):
            assert connection.request("GET", f"/raw/{ns}/{number}").body == b"%d" % number
    finally:
        for connection in connections:
            connection.close()


def test_writers_and_readers_of_one_key_never_see_a_torn_value(service, ns):
    sizes = (10, 5000, 70_000)
    faults = []

    def write(letter):
        with service.connect() as connection:
            for size in sizes * 5:
                connection.request("PUT", f"/raw/{ns}/k", {}, letter * size)

    def read():
        with service.connect() as connection:
            for _ in range(60):
                answer = connection.request("GET", f"/raw/{ns}/k")
                if answer.status == 200 and (len(set(answer.body)) != 1 or len(answer.body) not in sizes):
                    faults.append(len(answer.body))

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    threads += [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
