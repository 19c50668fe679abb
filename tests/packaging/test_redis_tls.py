"""TLS to Redis, where the release's hiredis has it: what is trusted, what is refused, what a lost connection does."""

import pytest
from listening import ListeningService
from support.redis_servers import RedisServer, wait_until
from support.redis_tls import RedisTlsServer
from support.service import Service, run_once


@pytest.fixture(scope="module", autouse=True)
def needs_tls():
    settings = {"CACHE_ENGINE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1", "REDIS_TLS": "on"}
    try:
        with ListeningService(settings):
            pass
    except AssertionError as fault:
        if "hiredis has no TLS" in str(fault):
            pytest.skip("this build's hiredis has no TLS")
        raise


@pytest.fixture
def redis():
    server = RedisTlsServer().start()
    yield server
    server.stop()


@pytest.fixture
def strict():
    server = RedisTlsServer(client_certificates=True).start()
    yield server
    server.stop()


def use(service):
    big = bytes(range(256)) * 20000
    with service.connect() as connection:
        assert connection.request("PUT", "/raw/n/k", (), b"v").status == 201
        assert connection.request("GET", "/raw/n/k").body == b"v"
        # More than a TLS record, both ways.
        assert connection.request("PUT", "/raw/n/big", (), big).status == 201
        assert connection.request("GET", "/raw/n/big").body == big
        assert connection.request("DELETE", "/raw/n/k").status == 204
        assert connection.request("POST", "/flush", (), b"").status == 200
        assert connection.request("GET", "/raw/n/big").status == 404


def refused(settings, why=b"TLS"):
    """Starts a service that must never reach its engine; says `why` in /readyz and never serves."""
    with ListeningService({"LOG_ACCESS": "off", **settings}) as service:
        def reason():
            answer = service.request("GET", "/readyz")
            assert answer.status == 503, answer
            return why in answer.body and answer
        answer = wait_until(reason, what=f"{why} as the reason")
        assert service.request("PUT", "/raw/n/k", (), b"v").status == 503
        assert service.request("GET", "/raw/n/k").status == 503, "never a miss"
        return answer


def test_a_server_of_a_trusted_authority_is_used(redis, start_service):
    use(start_service(**redis.settings()))


def test_a_rediss_url_is_tls(redis, start_service):
    use(start_service(CACHE_ENGINE="redis", REDIS_URL=f"rediss://127.0.0.1:{redis.port}/2",
                      REDIS_TLS_CA=redis.certificates.path("ca.crt")))


def test_the_expected_name_may_be_given(redis, start_service):
    use(start_service(**redis.settings(), REDIS_TLS_SERVER_NAME="redis.test"))


def test_another_name_is_refused(redis):
    refused({**redis.settings(), "REDIS_TLS_SERVER_NAME": "other.test"})


def test_an_address_that_the_certificate_lacks_is_refused():
    server = RedisTlsServer(server_names="DNS:redis.test").start()
    try:
        refused(server.settings())
        with_name = Service({**server.settings(), "REDIS_TLS_SERVER_NAME": "redis.test"}).start()
        with_name.stop()
    finally:
        server.stop()


def test_a_strangers_authority_is_refused(redis):
    refused({**redis.settings(), "REDIS_TLS_CA": redis.certificates.path("stranger.crt")})


def test_the_systems_authorities_do_not_vouch_for_the_tests(redis):
    refused({**redis.settings(), "REDIS_TLS_CA": None})


def test_verification_can_be_switched_off(redis, start_service):
    settings = {**redis.settings(), "REDIS_TLS_CA": redis.certificates.path("stranger.crt"), "REDIS_TLS_VERIFY": "off"}
    use(start_service(**settings))


def test_a_client_certificate_is_shown(strict, start_service):
    use(start_service(**strict.settings()))


def test_without_a_client_certificate_a_strict_server_is_out_of_reach(strict):
    with ListeningService({**strict.settings(), "REDIS_TLS_CERT": None, "REDIS_TLS_KEY": None}) as service:
        for _ in range(5):
            assert service.request("GET", "/raw/n/k").status == 503
            assert service.request("GET", "/readyz").status == 503


def test_a_server_without_tls_is_refused():
    server = RedisServer().start()
    try:
        # It takes the greeting for the beginning of a command and waits for the rest.
        refused({**server.settings(), "REDIS_TLS": "on", "REDIS_TLS_VERIFY": "off"}, why=b"does not answer")
    finally:
        server.stop()


@pytest.mark.parametrize("setting", ["REDIS_TLS_CA", "REDIS_TLS_CERT", "REDIS_TLS_KEY"])
def test_a_file_that_cannot_be_read_stops_the_start_and_is_named(strict, setting):
    settings = {**strict.settings(), setting: "/nonexistent.pem", "HTTP_PORT": "0"}
    run = run_once(settings=settings)
    assert run.returncode not in (0, None) and setting in run.stdout + run.stderr


def test_a_server_that_came_back_is_used_again(redis, start_service):
    service = start_service(**redis.settings())
    use(service)
    redis.kill()
    wait_until(lambda: service.request("GET", "/raw/n/k").status == 503, what="the loss is noticed")
    redis.start()
    wait_until(lambda: service.request("GET", "/readyz").status == 200, what="ready again")
    use(service)
