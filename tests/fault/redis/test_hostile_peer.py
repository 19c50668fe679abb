"""A peer that cuts, delays, splits and corrupts the replies, at every byte of a connection's handshake and first replies."""

import time

import pytest
from support.redis_peer import Peer, Script
from support.redis_servers import wait_until

KEYS = [f"key-{i}" for i in range(4)]
# The handshake's replies (name, five digests, TIME) are about 300 bytes; then come those of the requests.
BYTES = 900


@pytest.fixture
def peer(redis):
    peer = Peer(redis.port)
    yield peer
    peer.stop()


@pytest.fixture
def service(peer, start_service):
    service = start_service(peer.settings(), CACHE_DEADLINE_MS="250", REDIS_CONNECT_TIMEOUT_MS="300")
    for key in KEYS:
        assert service.request("PUT", f"/raw/n/{key}", (), f"{key}=0".encode()).status == 201
    return service


def judge(connection, key, counts):
    """One read and one write; returns their statuses. `counts` holds the highest confirmed and the highest sent."""
    answer = connection.request("GET", f"/raw/n/{key}")
    assert answer.status in (200, 503, 504), f"{key}: {answer}"
    if answer.status == 200:
        name, _, number = answer.body.decode("latin-1").partition("=")
        assert name == key, f"{key}: read {answer.body!r}"
        assert counts[key][0] <= int(number) <= counts[key][1], f"{key}: {number} {counts[key]}"
    counts[key][1] += 1
    written = connection.request("PUT", f"/raw/n/{key}", (), f"{key}={counts[key][1]}".encode())
    assert written.status in (200, 503, 504), f"{key}: {written}"
    if written.status == 200:
        counts[key][0] = counts[key][1]
    return answer.status, written.status


def run_round(service, peer, script, counts, requests=3):
    """New connections under the script, some requests, then health again."""
    peer.script = script
    peer.drop_all()
    seen = []
    with service.connect() as connection:
        for turn in range(requests):
            seen += judge(connection, KEYS[turn % len(KEYS)], counts)
    peer.script = Script()
    return seen


def heal(service, peer, counts):
    peer.script = Script()
    peer.drop_all()
    wait_until(lambda: service.request("GET", "/raw/n/key-0").status == 200, what="recovery")
    with service.connect() as connection:
        for key in KEYS:
            wait_until(lambda: judge(connection, key, counts) == (200, 200), what="health")  # noqa: B023


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_split_replies_are_put_together(service, peer, size):
    counts = {key: [0, 0] for key in KEYS}
    assert set(run_round(service, peer, Script(split=size), counts, 20)) <= {200, 503, 504}
    heal(service, peer, counts)


@pytest.mark.parametrize("first", range(0, BYTES, 100))
def test_a_cut_at_every_byte_is_an_error_or_a_retry_and_never_a_wrong_answer(service, peer, first):
    counts = {key: [0, 0] for key in KEYS}
    for at in range(first, first + 100):
        run_round(service, peer, Script(cut_at=at), counts)
    heal(service, peer, counts)


@pytest.mark.parametrize("first", range(300, 700, 50))
def test_a_reply_that_stops_in_the_middle_is_late_and_its_rest_is_nobodys(service, peer, first):
    counts = {key: [0, 0] for key in KEYS}
    for at in range(first, first + 50, 25):
        run_round(service, peer, Script(stop_at=at), counts, 2)
    heal(service, peer, counts)


def test_a_delay_beyond_the_deadline_crosses_nothing(service, peer):
    counts = {key: [0, 0] for key in KEYS}
    for at in range(300, 900, 60):
        run_round(service, peer, Script(delay_at=at, delay=0.35), counts, 6)
    heal(service, peer, counts)


@pytest.mark.parametrize("first", range(0, BYTES, 100))
def test_a_corrupted_byte_of_the_framing_is_never_a_false_miss_or_another_keys_value(service, peer, first):
    """Every byte in turn becomes another that RESP does not have there. A byte inside of a value is not framing: it is
    then the value itself that differs, which TCP and TLS protect, not this service."""
    for at in range(first, first + 100):
        peer.script = Script(corrupt_at=at, corrupt_with=0x80)
        peer.drop_all()
        with service.connect() as connection:
            for key in KEYS[:2]:
                answer = connection.request("GET", f"/raw/n/{key}")
                assert answer.status in (200, 503, 504), f"byte {at}: {answer}"
                if answer.status == 200:
                    others = [k for k in KEYS if k != key and k.encode() in answer.body]
                    assert not others, f"byte {at}: {key} read {answer.body!r}"
        peer.script = Script()
    heal(service, peer, {key: [0, 0] for key in KEYS})


def test_a_peer_that_only_talks_nonsense_is_503(redis, start_service):
    import socket
    import threading
    service = start_service(redis.settings(), REDIS_CONNECT_TIMEOUT_MS="300")
    redis.kill()
    with socket.create_server(("127.0.0.1", redis.port)) as listener:
        stop = threading.Event()

        def talk():
            listener.settimeout(0.2)
            replies = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*1000000000\r\n", b"$9999999999999\r\n", b"+OK\r\n" * 50,
                       b"-ERR \r\n" * 3, b"\x00" * 100, b"*1\r\n" * 20]
            turn = 0
            while not stop.is_set():
                try:
                    peer, _ = listener.accept()
                except OSError:
                    continue
                turn += 1
                try:
                    peer.sendall(replies[turn % len(replies)])
                    time.sleep(0.05)
                    peer.close()
                except OSError:
                    pass

        talker = threading.Thread(target=talk)
        talker.start()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            assert service.request("GET", "/raw/n/k").status in (503, 504)
            time.sleep(0.02)
        stop.set()
        talker.join()
    redis.start()
    wait_until(lambda: service.request("GET", "/raw/n/k").status == 404, what="recovery")
