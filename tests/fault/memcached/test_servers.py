"""Servers that die, hang, come back empty or with what they had: an error is an error, never a miss, and what was
flushed, deleted or overwritten stays so."""

import threading
import time

from support.api import Api, flush

KEYS = [f"key-{number}" for number in range(60)]


def fill(api, keys=KEYS, value=b"old"):
    for key in keys:
        assert api.put(key, value, query="ttl=none").status in (200, 201)


def keys_by_server(servers, keys=KEYS):
    """Which keys stand where, asked of the servers themselves."""
    found = []
    for server in servers.servers:
        with server.client() as client:
            names = set(client.keys())
        found.append([key for key in keys if f"cubby:e:n:{key}" in names])
    assert sorted(sum(found, [])) == sorted(keys)
    assert all(found), "a server without keys proves nothing"
    return found


def wait_until(condition, timeout=20.0):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_until_served(api, key, timeout=20.0):
    deadline = time.monotonic() + timeout
    while True:
        status = api.get(key).status
        if status in (200, 404) or time.monotonic() > deadline:
            return status
        time.sleep(0.02)


class Load:
    """Readers of all keys while something happens; collects what they were answered."""

    def __init__(self, service, keys, threads=4):
        self.seen = {key: set() for key in keys}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(service, keys)) for _ in range(threads)]

    def _run(self, service, keys):
        api = Api(service, "n")
        while not self._stop.is_set():
            for key in keys:
                answer = api.get(key)
                self.seen[key].add((answer.status, answer.body if answer.status == 200 else b""))
        api.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def test_a_killed_server_takes_only_its_own_keys_and_none_is_called_missing(start, three, open_api):
    service = start(three, CACHE_DEADLINE_MS="5000")
    api = open_api(service)
    fill(api)
    dead, *others = keys_by_server(three)
    with Load(service, KEYS) as load:
        wait_until(lambda: all((200, b"old") in load.seen[key] for key in KEYS))
        three[0].kill()
        wait_until(lambda: all((503, b"") in load.seen[key] for key in dead))
        time.sleep(0.5)
    for key in dead:
        assert {status for status, _ in load.seen[key]} == {200, 503}, (key, load.seen[key])
    for key in sum(others, []):
        assert load.seen[key] == {(200, b"old")}, (key, load.seen[key])
    began = time.monotonic()
    for key in dead:
        assert api.get(key).status == 503
        assert api.put(key, b"new").status == 503
        assert api.delete(key).status == 503
    assert time.monotonic() - began < 10.0, "a server that is known to be dead must not be waited for"
    assert service.request("GET", "/readyz").status == 200


def test_a_server_that_comes_back_empty_serves_again(start, three, open_api):
    service = start(three)
    api = open_api(service)
    fill(api)
    dead, *others = keys_by_server(three)
    three[0].kill()
    assert api.get(dead[0]).status == 503
    three[0].start()
    assert wait_until_served(api, dead[0]) == 404
    assert all(api.get(key).status == 404 for key in dead)
    assert all(api.get(key).status == 200 for key in sum(others, []))
    fill(api, dead, b"new")
    assert all(api.get(key).body == b"new" for key in dead)


def test_a_server_that_is_replaced_between_two_requests_is_not_noticed(start, one, open_api):
    service = start(one)
    api = open_api(service)
    fill(api, KEYS[:3])
    one[0].kill()
    one[0].start()
    assert api.get(KEYS[0]).status == 404
    assert api.put(KEYS[0], b"new").status == 201


def test_a_paused_server_is_late_its_keys_are_no_misses_and_the_others_do_not_wait(start, three, open_api):
    service = start(three, CACHE_DEADLINE_MS="3000")
    api = open_api(service)
    fill(api)
    paused, *others = keys_by_server(three)
    with Load(service, paused[:2], threads=2) as load:
        three[0].pause()
        slowest = 0.0
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            for key in sum(others, []):
                began = time.monotonic()
                assert api.get(key).body == b"old"
                slowest = max(slowest, time.monotonic() - began)
        three[0].resume()
        time.sleep(1.6)
    for key in paused[:2]:
        assert {status for status, _ in load.seen[key]} <= {200, 503, 504}, load.seen[key]
        assert (200, b"old") in load.seen[key]
    assert slowest < 2.0, "a key of a live server waited for the paused one"
    assert all(api.get(key).body == b"old" for key in KEYS)


def test_a_write_that_was_given_up_never_replaces_a_newer_one(start, one, open_api):
    service = start(one, CACHE_DEADLINE_MS="400")
    api = open_api(service)
    for round_number in range(5):
        key = f"late-{round_number}"
        fill(api, [key])
        one[0].pause()
        answers = [api.put(key, b"given up") for _ in range(3)]
        assert all(answer.status in (503, 504) for answer in answers), answers
        one[0].resume()
        deadline = time.monotonic() + 20
        while api.put(key, b"newer").status not in (200, 201):
            assert time.monotonic() < deadline
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            assert api.get(key).body == b"newer"


def test_a_flush_that_misses_a_server_fails_and_one_that_answered_holds_when_it_returns(start, three, open_api):
    service = start(three, CACHE_DEADLINE_MS="1000")
    api = open_api(service)
    fill(api)
    paused, *_ = keys_by_server(three)
    three[0].pause()
    assert flush(service, query="namespace=n").status in (503, 504)
    three[0].resume()
    assert wait_until_served(api, paused[0]) in (200, 404)
    deadline = time.monotonic() + 20
    while flush(service, query="namespace=n").status != 200:
        assert time.monotonic() < deadline
    assert not any(api.stands(key) for key in KEYS)


def test_a_flush_of_a_dead_server_is_503_at_once(start, three, open_api):
    service = start(three, CACHE_DEADLINE_MS="5000")
    api = open_api(service)
    fill(api)
    three[2].kill()
    for key in KEYS:
        api.get(key)
    began = time.monotonic()
    assert flush(service).status == 503
    assert time.monotonic() - began < 2


def test_generations_that_were_evicted_bring_nothing_back(start, one, open_api):
    service = start(one)
    api = open_api(service)
    for lost in (b"cubby:g:n", b"cubby:g:"):
        fill(api, KEYS[:5], b"first")
        with one[0].client() as client:
            assert client.delete(lost)
        assert not any(api.stands(key) for key in KEYS[:5])
        fill(api, KEYS[:1], b"second")
        assert [api.stands(key) for key in KEYS[:5]] == [True, False, False, False, False]
        assert flush(service, query="namespace=n").status == 200
        assert not any(api.stands(key) for key in KEYS[:5])


def test_with_dead_server_miss_reads_miss_and_writes_still_fail(start, three, open_api):
    service = start(three, MEMCACHED_DEAD_SERVER="miss")
    api = open_api(service)
    fill(api)
    dead, *others = keys_by_server(three)
    three[0].kill()
    for key in dead:
        assert api.get(key).status == 404
        assert api.put(key, b"new").status == 503
        assert api.delete(key).status == 503
    assert all(api.get(key).status == 200 for key in sum(others, []))


def test_without_any_server_it_is_alive_and_not_ready(start, one, open_api):
    service = start(one)
    one[0].kill()
    assert open_api(service).get("k").status == 503
    assert service.request("GET", "/healthz").status == 200
    assert service.request("GET", "/readyz").status == 503
    one[0].start()
    deadline = time.monotonic() + 20
    while service.request("GET", "/readyz").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_stops_in_time_while_a_server_hangs(start, one, open_api):
    service = start(one, CACHE_DEADLINE_MS="200")
    open_api(service).put("k", b"v")
    one[0].pause()
    open_api(service).get("k")
    began = time.monotonic()
    service.stop()
    assert time.monotonic() - began < 8.0
    one[0].resume()
