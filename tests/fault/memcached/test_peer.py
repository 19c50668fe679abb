"""A peer that is not what it should be: hostile replies never end the process and are never a value or a miss; hostile
keys reach the wire as harmless names and come back as they were."""

import struct
import threading
import time

import pytest
from support import memcached_peer as mc
from support.api import Api
from support.memcached_peer import MemcachedPeer, reply


def on(opcode, make):
    """A script that lies about one command, or several, and is honest otherwise."""
    opcodes = opcode if isinstance(opcode, tuple) else (opcode,)
    return lambda request, good: make(request, good) if request.opcode in opcodes else good


def hit(request, **lies):
    return reply(request, extras=bytes(4), key=request.key, value=b"?" * 40, **lies)


READS = {
    "not the protocol": lambda r, g: b"SERVER_ERROR out of memory storing object\r\n" * 3,
    "ascii value": lambda r, g: b"VALUE x 0 5\r\nhello\r\nEND\r\n",
    "a request": lambda r, g: r.raw,
    "zeros": lambda r, g: bytes(100),
    "nothing and the end": lambda r, g: None,
    "half a header": lambda r, g: [hit(r)[:11]],
    "another magic": lambda r, g: hit(r, magic=0x80),
    "a key of 300": lambda r, g: reply(r, extras=bytes(4), key=b"k" * 300, value=b"v"),
    "a key of 65535": lambda r, g: reply(r, extras=bytes(4), key=b"k" * 65535, value=b"v"),
    "a key longer than the body": lambda r, g: hit(r, key_len=60000) + b"x" * 65536,
    "extras longer than the body": lambda r, g: hit(r, extras_len=255),
    "no extras": lambda r, g: hit(r, extras_len=0),
    "a body of 4 GiB": lambda r, g: hit(r, body_len=0xFFFFFFFF),
    "a body of 1 GiB": lambda r, g: hit(r, body_len=1 << 30),
    "an empty body": lambda r, g: hit(r, body_len=0),
    "a version of 4000": lambda r, g: reply(r, opcode=mc.VERSION, value=b"1" * 4000),
    "statistics of 4 GiB": lambda r, g: reply(r, opcode=mc.STAT, key=b"k" * 2000, body_len=0xFFFFFFFF),
    "mechanisms of 4 GiB": lambda r, g: reply(r, opcode=mc.SASL_MECHS, value=b"m" * 9000, body_len=0xFFFFFFFF),
    "an unknown command": lambda r, g: reply(r, opcode=0x77),
    "another command": lambda r, g: reply(r, opcode=0x05, value=bytes(8)),
    "an answer to a write": lambda r, g: reply(r, opcode=mc.SET),
    "another entry's key": lambda r, g: reply(r, extras=bytes(4), key=b"cubby:e:n:other", value=b"?" * 80),
    "not found": lambda r, g: reply(r, 0x01, value=b"Not found"),
    "not found without a text": lambda r, g: reply(r, 0x01),
    "out of memory": lambda r, g: reply(r, 0x82, value=b"Out of memory"),
    "internal error": lambda r, g: reply(r, 0x84, value=b"Internal error"),
    "busy": lambda r, g: reply(r, 0x85, value=b"Busy"),
    "an unknown status": lambda r, g: reply(r, 0xFFFF, value=b"?"),
    "an error of 1 MB": lambda r, g: reply(r, 0x84, value=b"e" * 1_000_000),
}


@pytest.mark.parametrize("lie", READS)
def test_a_hostile_answer_to_a_read_is_neither_a_value_nor_a_miss(start, peer, open_api, lie):
    service = start(peer)
    api = open_api(service)
    assert api.put("k", b"v").status == 201
    peer.script = on(mc.GET_QUIET, READS[lie])
    for _ in range(3):
        assert api.get("k").status in (503, 504), lie
        assert api.put("k", b"w").status in (503, 504), lie
    peer.script = None
    recover(api, b"v")


ENDS = {
    "an end with a body": lambda r, g: reply(r, value=b"body"),
    "an end in error": lambda r, g: reply(r, 0x84),
    "two ends": lambda r, g: g + g,
    "more after the end": lambda r, g: g + b"\x81" + bytes(30),
    "a hit after the end": lambda r, g: g + reply(r, opcode=mc.GET_QUIET, extras=bytes(4), key=b"k", value=b"v"),
}


@pytest.mark.parametrize("lie", ENDS)
def test_a_hostile_end_of_a_read(start, peer, open_api, lie):
    service = start(peer)
    api = open_api(service)
    assert api.put("k", b"v").status == 201
    peer.script = on(mc.NOOP, ENDS[lie])
    # What follows an end may come after it was believed: then the answer was right, and the connection goes.
    for _ in range(5):
        answer = api.get("k")
        assert answer.status in (503, 504) or (answer.status == 200 and answer.body == b"v"), answer
    peer.script = None
    recover(api, b"v")


STORES = {
    "a success with a body": lambda r, g: reply(r, value=b"body"),
    "a hit": lambda r, g: hit(r, opcode=mc.GET_QUIET),
    "a version": lambda r, g: reply(r, opcode=mc.VERSION, value=b"9" * 500),
    "garbage": lambda r, g: b"\xff" * 64,
    "the end": lambda r, g: None,
    "an error": lambda r, g: reply(r, 0x84, value=b"Internal error"),
    "a long error": lambda r, g: reply(r, 0x84, value=b"e" * 100_000),
    "authentication": lambda r, g: reply(r, 0x20, value=b"Auth failure"),
}


@pytest.mark.parametrize("lie", STORES)
def test_a_hostile_answer_to_a_write_is_no_success(start, peer, open_api, lie):
    service = start(peer)
    api = open_api(service)
    assert api.put("k", b"v").status == 201
    peer.script = on((mc.REPLACE, mc.ADD), STORES[lie])
    for _ in range(3):
        assert api.put("k", b"w").status in (503, 504), lie
        assert api.delete("k").status in (503, 504), lie
    peer.script = None
    recover(api)


GREETINGS = {
    "a long version": on(mc.VERSION, lambda r, g: reply(r, value=b"1" * 5000)),
    "a version without dots": on(mc.VERSION, lambda r, g: reply(r, value=b"111111111111111111111111")),
    "statistics that wrap around": on(mc.STAT, lambda r, g: reply(r, key=b"k" * 9000, body_len=0xFFFFFFFF)),
    "statistics without end": on(mc.STAT, lambda r, g: reply(r, key=b"k", value=b"v") * 3000),
    "an absurd item limit": on(mc.STAT, lambda r, g: reply(r, key=b"item_size_max", value=b"9" * 30) + reply(r)),
}


@pytest.mark.parametrize("lie", GREETINGS)
def test_a_hostile_greeting(start, peer, open_api, lie):
    service = start(peer)
    api = open_api(service)
    assert api.put("k", b"v").status == 201
    peer.script = GREETINGS[lie]
    peer.drop()
    for _ in range(3):
        assert api.get("k").status in (200, 503, 504)
    time.sleep(1.5)
    peer.script = None
    recover(api, b"v")


def recover(api, value=None):
    deadline = time.monotonic() + 6
    while True:
        answer = api.get("k")
        if answer.status == 200 or (answer.status == 404 and value is None):
            break
        assert answer.status in (503, 504) and time.monotonic() < deadline, answer
        time.sleep(0.02)
    assert value is None or answer.body == value


def test_a_peer_that_trickles_does_not_hold_the_service_up(start, peer, open_api):
    service = start(peer, CACHE_DEADLINE_MS="150")
    api = open_api(service)
    assert api.put("k", b"v").status == 201

    def trickle(request, good):
        pieces = [good[at:at + 1] for at in range(len(good))]
        for piece in pieces:
            time.sleep(0.05)
            yield piece

    peer.script = on(mc.NOOP, lambda r, g: Slow(trickle(r, g)))
    began = time.monotonic()
    assert api.get("k").status == 504
    assert time.monotonic() - began < 0.4
    service.stop()


class Slow(list):
    """A list whose elements are made while they are sent."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def __iter__(self):
        return self.generator


HOSTILE_KEYS = [
    b" ", b"\r\n", b"x\r\ny", b"x\r\nflush_all\r\n", b"get a\r\nset b 0 0 1\r\nz\r\n", b"\0", b"a\0b", b"\0\r\n\0",
    b"\x80\x01" + bytes(22), b"\x81" + bytes(23), b"../../etc/passwd", b"%00", b"%", b"//", b".", b"..", b"a b", b"a\tb",
    b"\xff" * 1024, b"k" * 1024, b"k" * 250, b"k" * 251, b"k" * 240, b"\xc3\xa9", b"\xc3", "é".encode() * 100,
    b"cubby:g:n", b":", b"::", b"a:b", b"\x7f", b"\x1b[2J", b"'; DROP TABLE users; --", b"{{7*7}}", b"$(reboot)",
    *[bytes([byte]) for byte in range(256)],
]


def test_hostile_keys_come_back_and_reach_the_wire_as_harmless_names(start, peer, open_api):
    api = open_api(start(peer))
    keys = list(dict.fromkeys(HOSTILE_KEYS))
    for number, key in enumerate(keys):
        assert api.put(key, b"value %d" % number).status == 201, key
    for number, key in enumerate(keys):
        assert api.get(key).body == b"value %d" % number, key
    sent = peer.keys_sent()
    assert sent
    for name in sent:
        assert name.startswith((b"cubby:e:n:", b"cubby:h:", b"cubby:g:")), name
        assert 1 <= len(name) <= 250 and all(0x20 < byte < 0x7F for byte in name), name
    for request in peer.requests:
        magic, opcode, key_len, extras_len, datatype, vbucket, body_len = struct.unpack(">BBHBBHL", request.raw[:12])
        assert (magic, datatype, vbucket) == (0x80, 0, 0)
        assert opcode in (mc.VERSION, mc.STAT, mc.GET_QUIET, mc.NOOP, mc.ADD, mc.REPLACE, mc.QUIT)
        assert key_len + extras_len <= body_len == len(request.raw) - 24
    for number, key in enumerate(keys):
        assert api.delete(key).status == 204, key
    assert not any(name.startswith((b"cubby:e:", b"cubby:h:")) for name in peer.items)


def test_a_digest_that_collides_is_a_miss_and_never_anothers_value(start, peer, open_api):
    api = open_api(start(peer))
    assert api.put(b"one\n", b"one's").status == 201
    ours = next(name for name in peer.items if name.startswith(b"cubby:h:"))
    assert api.put(b"two\n", b"two's").status == 201
    others = next(name for name in peer.items if name.startswith(b"cubby:h:") and name != ours)
    peer.items[others] = peer.items[ours]
    assert api.get(b"two\n").status == 404
    assert api.put(b"two\n", b"two's", fields={"If-None-Match": "*"}).status == 201
    assert api.get(b"two\n").body == b"two's"


def test_an_item_that_somebody_else_wrote_is_a_miss_and_is_replaced(start, peer, open_api):
    api = open_api(start(peer))
    assert api.put("k", b"v").status == 201
    name = b"cubby:e:n:k"
    good = peer.items[name][0]
    for foreign in (b"", b"foreign", b"\x9dCm\x02", good[:-1], good + b"x", b"\x9dCm\x01" + good[4:], bytes(len(good))):
        peer.items[name] = (foreign, peer.items[name][1])
        assert api.get("k").status == 404, foreign
        assert api.delete("k").status == 204
    assert api.put("k", b"w").status == 201
    assert api.get("k").body == b"w"


def test_the_gets_of_one_turn_leave_as_one_multi_get(start, peer):
    service = start(peer, MEMCACHED_THREADS="1", HTTP_THREADS="1")
    held = threading.Event()
    first = threading.Event()

    def hold(request, good):
        if request.opcode == mc.NOOP and not first.is_set():
            first.set()
            held.wait(0.3)
        return good

    peer.script = hold
    threads = [threading.Thread(target=lambda n=n: Api(service, "n").get(f"k{n}")) for n in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    held.set()
    for thread in threads:
        thread.join(20)
    reads = [request.opcode for request in peer.requests if request.opcode in (mc.GET_QUIET, mc.NOOP)]
    assert reads.count(mc.GET_QUIET) < 20 * 3 and reads.count(mc.NOOP) < 10, reads


def test_a_peer_cannot_make_two_services_of_one(start, cleanup, open_api):
    """Prefixes keep services apart that share a server."""
    shared = MemcachedPeer()
    cleanup.append(shared)
    one = open_api(start(shared, CACHE_KEY_PREFIX="one"))
    two = open_api(start(shared, CACHE_KEY_PREFIX="two"))
    assert one.put("k", b"one's").status == 201
    assert two.get("k").status == 404
    assert two.put("k", b"two's").status == 201
    assert one.get("k").body == b"one's"
