"""Settings and the command line."""

import socket

import pytest
from support.service import run_once

CONFIG_FAULT = 78
NAMES = ["HTTP_HOST", "HTTP_PORT", "HTTP_THREADS", "HTTP_REQUEST_TIMEOUT_MS", "CACHE_ENGINE", "CACHE_KEY_PREFIX",
         "CACHE_DEFAULT_TTL", "CACHE_MAX_VALUE_BYTES", "CACHE_DEADLINE_MS", "MEMORY_MAX_BYTES", "CACHE_AUTH"]


def _everything(run):
    return run.stdout + run.stderr


def test_help_names_every_setting_and_exits_0():
    run = run_once("--help")
    assert run.returncode == 0
    for name in NAMES:
        assert name in run.stdout
    assert "127.0.0.1" in run.stdout and "8080" in run.stdout and "65535" in run.stdout, "defaults and bounds"


def test_help_works_with_settings_that_are_wrong():
    assert run_once("--help", settings={"HTTP_PORT": "x"}).returncode == 0


def test_version_tells_name_and_version():
    run = run_once("--version")
    assert run.returncode == 0 and "cubby" in run.stdout.lower()
    assert any(character.isdigit() for character in run.stdout)


def test_check_of_good_settings_exits_0_and_does_not_serve():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = run_once("--check", settings={"HTTP_PORT": str(taken.getsockname()[1]), "CACHE_ENGINE": "memory"})
    assert run.returncode == 0, _everything(run)


def test_an_unknown_word_on_the_command_line_is_refused():
    run = run_once("--frobnicate")
    assert run.returncode not in (0, None) and "--frobnicate" in run.stderr


FAULTS = [
    ("HTTP_PORT", "abc"), ("HTTP_PORT", "-1"), ("HTTP_PORT", "65536"), ("HTTP_PORT", "80 "),
    ("HTTP_PORT", "0x50"), ("HTTP_PORT", "99999999999999999999"), ("HTTP_THREADS", "many"), ("HTTP_THREADS", "100000"),
    ("HTTP_REQUEST_TIMEOUT_MS", "0"), ("HTTP_REQUEST_TIMEOUT_MS", "1s"), ("CACHE_ENGINE", "sqlite"),
    ("CACHE_ENGINE", "Memory"), ("CACHE_DEFAULT_TTL", "0"), ("CACHE_DEFAULT_TTL", "soon"),
    ("CACHE_DEFAULT_TTL", "11000d"), ("CACHE_MAX_VALUE_BYTES", "-5"), ("CACHE_MAX_VALUE_BYTES", "1 MiB"),
    ("MEMORY_MAX_BYTES", "0"), ("CACHE_AUTH", "maybe"), ("CACHE_KEY_PREFIX", "a b"), ("HTTP_HOST", "not a host"),
    ("HTTP_PROT", "80"), ("CACHE_TTL", "5"), ("MEMORY_SIZE", "5"), ("REDIS_HOTS", "x"), ("MEMCACHED_SERVER", "x"),
    ("MEMCACHED_SERVERS", "host:port:x"), ("REDIS_MODE", "galaxy"),
]


@pytest.mark.parametrize("name, value", FAULTS)
def test_a_wrong_or_unknown_setting_exits_78_and_is_named(name, value):
    for arguments in ((), ("--check",)):
        run = run_once(*arguments, settings={"HTTP_PORT": "0", **{name: value}})
        assert run.returncode == CONFIG_FAULT, _everything(run)
        assert name in _everything(run)


def test_all_faults_are_named_at_once():
    faults = {"HTTP_PORT": "abc", "HTTP_THREADS": "x", "CACHE_ENGINE": "sqlite", "HTTP_BOGUS": "1", "CACHE_AUTH": "x",
              "MEMORY_MAX_BYTES": "none"}
    run = run_once(settings=faults)
    assert run.returncode == CONFIG_FAULT
    for name in faults:
        assert name in _everything(run)


def test_values_of_secrets_are_hidden():
    secret = "hunter2-correct-horse"
    settings = {"REDIS_PASSWORD": secret, "MEMCACHED_PASSWORD": secret, "REDIS_URL": f"redis://:{secret}@host:x/",
                "HTTP_PORT": "abc"}
    for arguments in ((), ("--check",), ("--help",)):
        assert secret not in _everything(run_once(*arguments, settings=settings))


def test_a_secret_may_come_from_a_file_and_a_missing_file_is_a_fault(tmp_path):
    run = run_once("--check", settings={"REDIS_HOST": "127.0.0.1", "REDIS_PASSWORD_FILE": str(tmp_path / "missing")})
    assert run.returncode == CONFIG_FAULT and "REDIS_PASSWORD_FILE" in _everything(run)


def test_both_redis_and_memcached_without_a_choice_is_a_fault_that_asks_to_choose():
    settings = {"REDIS_HOST": "127.0.0.1", "MEMCACHED_SERVERS": "127.0.0.1:11211"}
    run = run_once("--check", settings=settings)
    assert run.returncode == CONFIG_FAULT and "CACHE_ENGINE" in _everything(run)


KUBERNETES = {
    "REDIS_PORT": "tcp://10.0.0.1:6379", "REDIS_SERVICE_HOST": "10.0.0.1", "REDIS_SERVICE_PORT": "6379",
    "REDIS_PORT_6379_TCP": "tcp://10.0.0.1:6379", "REDIS_PORT_6379_TCP_ADDR": "10.0.0.1",
    "REDIS_PORT_6379_TCP_PORT": "6379", "REDIS_PORT_6379_TCP_PROTO": "tcp",
    "MEMCACHED_PORT": "tcp://10.0.0.2:11211", "MEMCACHED_SERVICE_HOST": "10.0.0.2",
    "MEMCACHED_SERVICE_PORT": "11211", "MEMCACHED_PORT_11211_TCP_ADDR": "10.0.0.2",
}


def test_what_kubernetes_injects_for_a_service_called_redis_is_ignored_and_named_in_one_log_line(start_service, engine):
    injected = {name: value for name, value in KUBERNETES.items() if name not in engine.settings()}
    service = start_service(**injected)
    assert service.request("GET", "/capabilities").json()["engine"] == engine.settings()["CACHE_ENGINE"]
    lines = [line for line in service.lines if "REDIS_SERVICE_HOST" in line]
    assert len(lines) == 1
    for name in injected:
        assert name in lines[0]


def test_what_kubernetes_injects_does_not_choose_an_engine():
    run = run_once("--check", settings=KUBERNETES)
    assert run.returncode == 0, _everything(run)


def test_settings_of_other_programs_are_none_of_ours(start_service):
    service = start_service(HTTPS_PROXY="http://x", XCACHE_ENGINE="y", http_proxy="http://z", LANG="C")
    assert service.request("GET", "/healthz").status == 200


def test_a_port_that_is_taken_is_an_error_and_not_a_hang():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = run_once(settings={"HTTP_PORT": str(taken.getsockname()[1]), "CACHE_ENGINE": "memory"})
    assert run.returncode not in (0, None) and run.returncode > 0, _everything(run)
    assert "in use" in _everything(run).lower()


def test_the_service_listens_on_loopback_alone_unless_told_otherwise(service):
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split()[1] for line in table.readlines()[1:] if line.split()[3] == "0A"]
    assert [row for row in rows if int(row.split(":")[1], 16) == service.port] == [f"0100007F:{service.port:04X}"]


def test_log_lines_are_json_with_time_level_and_message(service):
    service.request("GET", "/healthz")
    entries = service.log()
    assert entries
    for entry in entries:
        assert {"time", "level", "msg"} <= set(entry)
