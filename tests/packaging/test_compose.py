"""The Compose file, as Compose itself reads it (its `config` needs no engine): each profile whole and hardened, each
setting good, and the stores' health checks tried on real stores."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
from support.memcached_servers import ServerSet
from support.redis_servers import RedisServer
from support.service import run_once

FILE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "compose" / "compose.yaml"
PROFILES = {"memory": {"cubby-memory"}, "redis": {"cubby-redis", "redis"},
            "memcached": {"cubby-memcached", "memcached"}}

pytestmark = pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")


def config(*options):
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    run = subprocess.run(["docker-compose", "-f", FILE, *options, "config", "--format", "json"], env=environment,
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0 and not run.stderr, run.stderr
    return json.loads(run.stdout)


def service_of(profile):
    return config("--profile", profile)["services"][f"cubby-{profile}"]


def test_memory_is_what_starts_when_nothing_is_said():
    assert set(config()["services"]) == PROFILES["memory"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_starts_its_services_and_no_others(profile):
    services = config("--profile", profile)["services"]
    assert set(services) == PROFILES[profile]
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
        assert service["read_only"] and "no-new-privileges:true" in service["security_opt"], name


@pytest.mark.parametrize("profile", PROFILES)
def test_the_service_has_no_capabilities_time_to_drain_and_a_port_on_this_machine_alone(profile):
    service = service_of(profile)
    assert service["cap_drop"] == ["ALL"] and service["stop_grace_period"] == "45s"
    assert [(port["host_ip"], port["target"]) for port in service["ports"]] == [("127.0.0.1", 8080)]
    for store in PROFILES[profile] - {f"cubby-{profile}"}:
        assert service["depends_on"][store]["condition"] == "service_healthy"
        assert "ports" not in config("--profile", profile)["services"][store]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_settings_are_good_and_choose_the_engine(profile):
    environment = service_of(profile)["environment"]
    run = run_once("--check", settings={**environment, "HTTP_HOST": "0.0.0.0"})
    assert run.returncode == 0, run.stderr
    assert run_once("--check", settings={**environment, "CACHE_ENGINE": profile}).returncode == 0


def healthy(store, port):
    """Runs a store's health check against another port than that of its container."""
    test = config("--profile", store)["services"][store]["healthcheck"]["test"]
    assert test[0] == "CMD"
    # `config` writes each dollar sign twice, as the file must.
    command = [word.replace("$$", "$").replace("/11211", f"/{port}") for word in test[1:]]
    if command[0] == "redis-cli":
        command[1:1] = ["-p", str(port)]
    return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0


def test_the_health_check_of_redis():
    server = RedisServer().start()
    try:
        assert healthy("redis", server.port)
    finally:
        server.stop()
    assert not healthy("redis", server.port)


def test_the_health_check_of_memcached():
    servers = ServerSet(1, "-m", "64").start()
    port = int(servers.settings()["MEMCACHED_SERVERS"].rsplit(":", 1)[1])
    try:
        assert healthy("memcached", port)
    finally:
        servers.stop()
    assert not healthy("memcached", port)
    impostor = RedisServer().start()
    try:
        assert not healthy("memcached", impostor.port), "another server in its place"
    finally:
        impostor.stop()
