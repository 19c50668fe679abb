"""One Redis server that dies, hangs, forgets, refuses and runs full."""

import threading
import time

import pytest
from support.redis_servers import RedisServer, ReplyError, wait_until
from support.redis_traffic import Traffic


def status(service, method, path, body=None):
    return service.request(method, path, (), body).status


def assert_unavailable(service, ns="n"):
    answer = service.request("GET", f"/raw/{ns}/never-written")
    assert answer.status == 503, answer
    assert int(answer["Retry-After"]) >= 0
    assert answer.get("Content-Type") == "application/problem+json"
    answer = service.request("PUT", f"/raw/{ns}/k", (), b"v")
    assert answer.status == 503, answer


def is_ready(service):
    return status(service, "GET", "/readyz") == 200


def test_a_killed_server_is_503_never_404_and_an_empty_one_serves_again(redis, start_service):
    service = start_service(redis.settings())
    with Traffic(service) as traffic:
        traffic.wait_for_more(500, 200, 201)
        redis.kill()
        traffic.wait_for_more(200, 503)
        assert not is_ready(service)
        assert_unavailable(service)
        misses = traffic.count(404)
        time.sleep(0.5)
        assert traffic.count(404) == misses, "a miss was told while Redis was dead"
        traffic.loses_data = True
        redis.start()
        traffic.wait_for_more(500, 200, 201)
    traffic.check()
    wait_until(lambda: is_ready(service), what="readiness")


def test_while_known_dead_answers_come_at_once(redis, start_service):
    service = start_service(redis.settings())
    redis.kill()
    wait_until(lambda: status(service, "GET", "/raw/n/k") == 503, what="503")
    took = []
    with service.connect() as connection:
        for _ in range(200):
            began = time.monotonic()
            assert connection.request("GET", "/raw/n/k").status == 503
            took.append(time.monotonic() - began)
    # 5 ms is the promise; a loaded machine may sleep, so the median is judged, and with room: who waits for the engine
    # waits for half a second.
    assert sorted(took)[len(took) // 2] < 0.1


def test_a_dead_server_is_tried_at_most_once_a_second(redis, start_service):
    service = start_service(redis.settings())
    redis.kill()
    attempts = []
    import socket
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", redis.port))
        listener.listen(16)
        listener.settimeout(0.2)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            status(service, "GET", "/raw/n/k")
            try:
                peer, _ = listener.accept()
            except OSError:
                continue
            attempts.append(time.monotonic())
            peer.close()
    assert 2 <= len(attempts) <= 7, attempts
    gaps = [b - a for a, b in zip(attempts[1:], attempts[2:])]
    assert all(gap > 0.5 for gap in gaps), gaps  # a busy machine may have seen the one before late
    redis.start()
    wait_until(lambda: is_ready(service), what="readiness")


def test_a_stopped_server_is_504_then_503_and_nothing_is_crossed_afterwards(redis, start_service):
    service = start_service(redis.settings())
    with Traffic(service) as traffic:
        for _ in range(3):
            traffic.wait_for_more(300, 200, 201)
            redis.pause()
            traffic.wait_for_more(16, 503, 504)
            traffic.wait_for_more(200, 503)
            redis.resume()
            traffic.wait_for_more(300, 200, 201)
    traffic.check()
    assert traffic.count(504) > 0, "what was in flight must have been late"


def test_short_stops_below_and_above_the_deadline_cross_nothing(redis, start_service):
    service = start_service(redis.settings(), CACHE_DEADLINE_MS="60")
    with Traffic(service, padding=20000) as traffic:
        traffic.wait_for_more(200, 200, 201)
        for round_ in range(25):
            redis.pause()
            time.sleep(0.01 + 0.006 * round_)
            redis.resume()
            time.sleep(0.03)
        traffic.wait_for_more(200, 200, 201)
    traffic.check()


def test_a_late_write_says_that_its_outcome_is_unknown(redis, start_service):
    service = start_service(redis.settings())
    assert status(service, "PUT", "/raw/n/k", b"old") == 201
    redis.pause()
    answer = service.request("PUT", "/cache/n/k", [("Content-Type", "text/plain")], b"new")
    assert answer.status == 504 and answer.json()["outcome"] == "unknown"
    redis.resume()
    wait_until(lambda: is_ready(service) and status(service, "GET", "/raw/n/k") == 200)


def test_loading_is_503_never_404(start_service):
    server = RedisServer("--enable-debug-command", "yes", "--dbfilename", "dump.rdb").start()
    try:
        service = start_service(server.settings())
        for index in range(400):
            assert status(service, "PUT", f"/raw/n/k{index}", b"v") == 201
        with server.client() as client:
            client.call("SAVE")
        server.kill()
        server.options += ["--key-load-delay", "8000", "--loading-process-events-interval-bytes", "1024"]
        server.start()
        seen = set()
        began = time.monotonic()
        while time.monotonic() < began + 15:
            with server.client() as client:
                try:
                    client.call("GET", "x")
                    loading = False
                except ReplyError as error:
                    loading = str(error).startswith("LOADING")
            code = status(service, "GET", "/raw/n/k7")
            seen.add(code)
            assert code in (200, 503), code
            if not loading and code == 200:
                break
        assert seen == {200, 503}, seen
    finally:
        server.stop()


def _is_busy(redis):
    with redis.client() as client:
        try:
            client.call("PING")
        except ReplyError as error:
            return str(error).startswith("BUSY")
    return False


def test_a_server_that_is_busy_with_a_script_is_503_or_504_and_recovers(redis, start_service):
    service = start_service(redis.settings())
    assert status(service, "PUT", "/raw/n/k", b"v") == 201
    with redis.client() as client:
        client.call("CONFIG", "SET", "busy-reply-threshold", "50")

    def spin():
        with redis.client() as client:
            with pytest.raises(ReplyError):
                client.call("EVAL", "while true do end", 0)

    spinner = threading.Thread(target=spin)
    spinner.start()
    wait_until(lambda: _is_busy(redis), what="the script runs")
    codes = {status(service, "GET", "/raw/n/k") for _ in range(20)}
    assert codes <= {503, 504} and 503 in codes, codes
    with redis.client() as client:
        client.call("SCRIPT", "KILL")
    spinner.join(10)
    wait_until(lambda: status(service, "GET", "/raw/n/k") == 200, what="recovery")


def test_forgotten_scripts_are_sent_again(redis, start_service):
    service = start_service(redis.settings())
    for _ in range(5):
        with redis.client() as client:
            client.call("SCRIPT", "FLUSH")
        assert status(service, "PUT", "/raw/n/k", b"v") in (200, 201)
        with redis.client() as client:
            client.call("SCRIPT", "FLUSH")
        assert service.request("DELETE", "/cache/n/k").status == 200


def test_a_read_only_server_takes_no_write_and_says_so(redis, start_service):
    service = start_service(redis.settings())
    assert status(service, "PUT", "/raw/n/k", b"v") == 201
    with redis.client() as client:
        client.call("CONFIG", "SET", "replica-serve-stale-data", "yes")
        client.call("REPLICAOF", "127.0.0.1", "1")
    assert status(service, "PUT", "/raw/n/k", b"w") == 503
    with redis.client() as client:
        client.call("REPLICAOF", "NO", "ONE")
    wait_until(lambda: status(service, "PUT", "/raw/n/k", b"w") == 200, what="writes")


def test_no_memory_left_is_507_and_the_old_entry_stands(redis, start_service):
    service = start_service(redis.settings())
    assert status(service, "PUT", "/raw/n/k", b"old") == 201
    with redis.client() as client:
        client.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        client.call("CONFIG", "SET", "maxmemory", "1")
    assert status(service, "PUT", "/raw/n/k", b"new") == 507
    assert status(service, "PUT", "/raw/other/k", b"new") == 507
    answer = service.request("PUT", "/raw/n/k", [("If-Match", "*")], b"new")
    assert answer.status == 507
    assert service.request("GET", "/raw/n/k").body == b"old"
    assert service.request("POST", "/flush", (), b"").status == 200, "flushing takes no memory"
    assert status(service, "GET", "/raw/n/k") == 404
    with redis.client() as client:
        client.call("CONFIG", "SET", "maxmemory", "0")
    assert status(service, "PUT", "/raw/n/k", b"new") == 201


def test_a_wrong_password_is_503_and_the_right_one_serves(redis, start_service):
    service = start_service(redis.settings(), REDIS_PASSWORD="right", REDIS_USERNAME="default") \
        if _set_password(redis, "right") else None
    assert status(service, "PUT", "/raw/n/k", b"v") == 201
    with redis.client(password="right") as client:
        client.call("CONFIG", "SET", "requirepass", "changed")
        client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(lambda: not is_ready(service), what="unreadiness")
    assert_unavailable(service)
    reason = service.request("GET", "/readyz").body
    assert b"password" in reason, reason
    assert b"changed" not in service.output().encode() and b"right" not in reason
    with redis.client(password="changed") as client:
        client.call("CONFIG", "SET", "requirepass", "right")
    wait_until(lambda: status(service, "GET", "/raw/n/k") == 200, what="recovery")


def _set_password(redis, password):
    with redis.client() as client:
        return client.call("CONFIG", "SET", "requirepass", password) == b"OK"


def test_a_server_with_too_many_clients_is_503_and_serves_when_there_is_room(redis, start_service):
    service = start_service(redis.settings())
    others = []
    with redis.client() as client:
        client.call("CONFIG", "SET", "maxclients", "6")
        try:
            for _ in range(10):
                others.append(redis.client())
                others[-1].call("PING")
        except (ReplyError, ConnectionError, OSError):
            pass
        for line in client.call("CLIENT", "LIST").decode().splitlines():
            fields = dict(part.split("=", 1) for part in line.split(" ") if "=" in part)
            if fields["name"] == "cubby":
                client.call("CLIENT", "KILL", "ID", fields["id"])
        while True:
            try:
                others.append(redis.client())
                others[-1].call("PING")
            except (ReplyError, ConnectionError, OSError):
                break
    codes = {status(service, "GET", "/raw/n/k") for _ in range(20)}
    # 504: nothing had come of the next attempt to connect by the deadline.
    assert codes <= {404, 503, 504}, codes
    for other in others:
        other.close()
    wait_until(lambda: is_ready(service) and status(service, "GET", "/raw/n/k") == 404, what="recovery")


def test_what_other_clients_wrote_is_read_and_survives_a_flush(redis, start_service):
    service = start_service(redis.settings())
    with redis.client() as client:
        client.call("SET", "cubby:n:plain", b"by \x00 another")
        client.call("SET", "unrelated", "stays")
        answer = service.request("GET", "/raw/n/plain")
        assert (answer.status, answer.body) == (200, b"by \x00 another")
        assert answer["Content-Type"] == "application/octet-stream" and answer["Cache-TTL"] == "none"
        tag = answer["ETag"]
        assert service.request("GET", "/raw/n/plain")["ETag"] == tag
        assert service.request("POST", "/flush", (), b"").status == 200
        assert client.call("GET", "unrelated") == b"stays"
        assert service.request("GET", "/raw/n/plain").status == 200
        client.call("PEXPIRE", "cubby:n:plain", "60000")
        assert 50 < float(service.request("GET", "/raw/n/plain")["Cache-TTL"]) <= 60
        assert service.request("PUT", "/raw/n/plain", [("If-Match", tag)], b"ours").status == 200
        client.call("LPUSH", "cubby:n:list", "x")
        for method, fields, body in (("PUT", (), b"v"), ("PUT", (), b"v" * 5000), ("PUT", [("If-None-Match", "*")], b"v"),
                                     ("PUT", [("Fence-Token", "7")], b"v"), ("DELETE", (), None)):
            answer = service.request(method, "/raw/n/list", fields, body)
            assert answer.status == 503 and "outcome" not in answer.json(), "nothing happened, and it is known"
        assert client.call("LLEN", "cubby:n:list") == 1, "a value of another type was destroyed"


def test_a_lost_generation_empties_a_namespace_and_never_brings_flushed_entries_back(redis, start_service):
    service = start_service(redis.settings())
    assert status(service, "PUT", "/raw/n/k", b"flushed") == 201
    assert service.request("POST", "/flush?namespace=n", (), b"").status == 200
    with redis.client() as client:
        for key in client.call("KEYS", "cubby::gen:*"):
            client.call("DEL", key)
        assert status(service, "GET", "/raw/n/k") == 404
        assert status(service, "PUT", "/raw/n/k", b"new") == 201
        client.call("DEL", "cubby::gen:n")
        assert status(service, "GET", "/raw/n/k") == 404
        assert status(service, "PUT", "/raw/n/k", b"newer") == 201


def test_two_replicas_see_each_others_flush_at_once(redis, start_service):
    one, two = start_service(redis.settings()), start_service(redis.settings())
    with one.connect() as first, two.connect() as second:
        for round_ in range(100):
            body = str(round_).encode()
            assert first.request("PUT", "/raw/n/k", (), body).status == 201
            assert second.request("GET", "/raw/n/k").body == body
            assert second.request("POST", "/flush?namespace=n", (), b"").status == 200
            assert first.request("GET", "/raw/n/k").status == 404
