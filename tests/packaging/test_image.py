"""The final image's root, mounted read-only at CUBBY_IMAGE, run as its Dockerfile says and with nothing else around it:
no /proc, no /dev, no shell. Needs root, and a network of its own that has 10.254.0.1 on it."""

import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest
from support.memcached_servers import ServerSet
from support.redis_servers import RedisServer
from support.wire import Connection

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE = os.environ.get("CUBBY_IMAGE")
DOCKERFILE = ROOT / "deploy" / "container" / "Dockerfile"
OUTSIDE = "10.254.0.1"

pytestmark = pytest.mark.skipif(not IMAGE, reason="CUBBY_IMAGE is not set")


def final_settings():
    said = subprocess.run([sys.executable, str(pathlib.Path(__file__).with_name("dockerfile_steps.py")), str(DOCKERFILE),
                           "final"], check=True, capture_output=True, text=True).stdout
    return [line.split("\t") for line in said.splitlines()]


def setting(word):
    return next(rest for name, *rest in final_settings() if name == word)


def environment(**more):
    image = dict(pair.split("=", 1) for word, *pairs in final_settings() if word == "ENV" for pair in pairs)
    return {**image, **{name: str(value) for name, value in more.items()}}


def run(command, **settings):
    return subprocess.Popen(["/usr/sbin/chroot", f"--userspec={setting('USER')[0]}", "--groups=", IMAGE, *command],
                            env=environment(**settings), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def finish(command, **settings):
    process = run(command, **settings)
    output, _ = process.communicate(timeout=30)
    return process.returncode, output


def health(**settings):
    return finish(json.loads(setting("HEALTHCHECK")[0]), **settings)


class Container:
    def __init__(self, **settings):
        self.settings = settings
        self.process = run(json.loads(setting("ENTRYPOINT")[0]), **settings)

    def __enter__(self):
        deadline = time.monotonic() + 30
        while health(**self.settings)[0] != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, self.process.stdout.read()
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, output


def from_outside(method, target):
    """A request whose address is not a loopback one."""
    with socket.create_connection((OUTSIDE, 8080), timeout=10) as peer:
        peer.sendall(f"{method} {target} HTTP/1.1\r\nHost: cubby\r\nConnection: close\r\n\r\n".encode())
        return int(peer.makefile("rb").readline().split()[1])


def exercise():
    with Connection(8080) as connection:
        assert connection.request("PUT", "/raw/n/k", (), b"v").status == 201
        assert connection.request("GET", "/raw/n/k").body == b"v"


def test_it_checks_its_settings():
    assert finish(["/usr/bin/cubby", "--check"]) == (0, "settings are good\n")
    assert finish(["/usr/bin/cubby", "--check"], HTTP_PORT="x")[0] == 78


def test_it_serves_and_its_health_check_says_so():
    with Container():
        exercise()
        assert health() == (0, "")
    status, output = health()
    assert status == 1 and "8080" in output


def test_others_are_served_only_when_the_operator_says_so():
    with Container():
        assert from_outside("GET", "/raw/n/k") == 403
    with Container(CACHE_AUTH="off"):
        assert from_outside("GET", "/raw/n/k") == 404


def test_redis_and_memcached_by_name():
    redis = RedisServer().start()
    try:
        with Container(REDIS_HOST="127.0.0.1", REDIS_PORT=redis.port):
            exercise()
    finally:
        redis.stop()
    servers = ServerSet(1, "-m", "64").start()
    try:
        with Container(**servers.settings()):
            exercise()
    finally:
        servers.stop()


def test_it_has_what_names_and_trust_need():
    image = pathlib.Path(IMAGE)
    assert "BEGIN CERTIFICATE" in (image / "etc/ssl/certs/ca-certificates.crt").read_text(encoding="ascii")
    assert os.readlink(image / "usr/lib/ssl/cert.pem") == "/etc/ssl/certs/ca-certificates.crt"
    assert "hosts: files dns" in (image / "etc/nsswitch.conf").read_text(encoding="ascii")
    assert list(image.glob("usr/lib/*/sasl2/libplain.so")), "libmemcached's passwords"
    assert f":{setting('USER')[0]}:" in (image / "etc/passwd").read_text(encoding="ascii")


def test_it_holds_the_program_its_libraries_and_nothing_to_run_besides():
    image = pathlib.Path(IMAGE)
    programs = [path.relative_to(image).as_posix() for path in image.rglob("*")
                if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK) and ".so" not in path.name]
    assert programs == ["usr/bin/cubby"]
    for path in image.rglob("*"):
        mode = path.lstat().st_mode
        assert not mode & (stat.S_ISUID | stat.S_ISGID), path
        if not path.is_symlink():
            assert not mode & stat.S_IWOTH and mode & stat.S_IROTH, path
        else:
            target = pathlib.Path(os.readlink(path))
            inside = image / target.relative_to("/") if target.is_absolute() else path.parent / target
            assert inside.exists(), f"{path} leads nowhere"


def test_each_package_in_it_is_named_with_its_terms():
    image = pathlib.Path(IMAGE)
    packages = sorted(path.name for path in (image / "var/lib/dpkg/status.d").iterdir())
    assert {"libc6", "ca-certificates", "libsodium23"} <= set(packages)
    for package in packages:
        assert (image / "usr/share/doc" / package / "copyright").stat().st_size > 0, package
    for file in ("copyright", "viewer/LICENSE", "viewer/NOTICE"):
        assert (image / "usr/share/doc/cubby" / file).stat().st_size > 0, file


def test_the_root_is_read_only():
    with pytest.raises(OSError):
        (pathlib.Path(IMAGE) / "probe").touch()
