"""The service as a contestant, and the few requests that prepare and check a measurement."""

import http.client
import subprocess
import time

from kit.procs import Server, free_port

NAMESPACE = "bench"
TEXT_BODY = b"x" * 100
JSON_BODY = b'{"name":"Ann","note":"' + b"x" * 76 + b'"}'
assert len(JSON_BODY) == 100
KEYS = 64


def cubby_server(binary, folder, threads, env=None, name="cubby", also=()):
    port = free_port()
    settings = {"HTTP_PORT": str(port), "HTTP_THREADS": str(threads), "HTTP_IDLE_TIMEOUT_MS": "600000"}
    settings.update(env or {})
    return Server(name, [binary], port, env=settings, folder=folder, also=also)


def ask(server, method, path, body=None, headers=None, timeout=5):
    """One request on a connection of its own: (status, fields, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def expect(server, method, path, statuses, body=None, headers=None, answer=None):
    """As ask(), and raises when the status (or the body) is another: a benchmark of errors is none."""
    status, fields, got = ask(server, method, path, body, headers)
    if status not in statuses or (answer is not None and got != answer):
        raise RuntimeError(f"{server.name}: {method} {path} answered {status}: {got[:200]!r}")
    return fields, got


def wait_ready(server, timeout=10):
    until = time.monotonic() + timeout
    while True:
        try:
            status = ask(server, "GET", "/readyz")[0]
        except OSError:
            status = 0
        if status == 200:
            return
        if time.monotonic() > until:
            raise RuntimeError(f"{server.name} is not ready after {timeout} s (/readyz: {status})")
        time.sleep(0.02)


def fill(server, keys=KEYS, body=JSON_BODY, content_type="application/json"):
    """Stores `keys` entries named 1…keys and reads one back in both views."""
    headers = {"Content-Type": content_type}
    for number in range(1, keys + 1):
        expect(server, "PUT", f"/raw/{NAMESPACE}/{number}?ttl=none", (200, 201), body, headers)
    expect(server, "GET", f"/raw/{NAMESPACE}/1", (200,), answer=body)
    _, envelope = expect(server, "GET", f"/cache/{NAMESPACE}/1", (200,))
    if content_type == "application/json" and body not in envelope:
        raise RuntimeError(f"{server.name}: the envelope lacks the value: {envelope[:200]!r}")


def version(binary):
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0]
