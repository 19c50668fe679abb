"""What the clients of a history do. Each is a process of its own with a connection to one replica.

All clients work on the same few keys at a time, and go on to others together several times a second: much happens at one
key at one time, and no key's history gets too long to judge.
"""

import json
import random
import time

from history.checks import COUNTER, ENTRY, LEASE, LIMIT, LOCK
from history.client import Client, Lost
from history.models import Put
from history.record import NEVER, SECOND, Op

KEYS = 6
ENTRY_EPOCH = SECOND // 4
LOCK_EPOCH = 4 * SECOND
WINDOW_MS = 400
WORST = (-(2**63), 2**63 - 1)

# (method of Worker, weight)
MIX = [("entry_get", 26), ("entry_put", 14), ("entry_put_if", 12), ("entry_create", 6), ("entry_fenced", 4),
       ("entry_delete", 4), ("entry_flush", 0.2), ("counter_add", 10), ("counter_get", 2), ("counter_delete", 0.3),
       ("limit_take", 8), ("lock_step", 8), ("lease_step", 10), ("lease_void", 0.6)]


def now():
    return time.monotonic_ns()


class Unsure(Exception):
    """It may have happened."""


class NotDone(Exception):
    """It certainly did not happen, or only looked."""


class Worker:
    def __init__(self, number, port, seed, run, features):
        self.client = Client(port)
        self.number = number
        self.chance = random.Random(f"{seed}-{number}")
        self.run = run  # in every namespace's name: nothing of another run is met
        self.records = []
        self.issued = 0
        self.seen = {}  # key -> (etag, id): what a write may be conditional on
        self.fence = 0
        self.lock = None  # (ns, key, token, until)
        self.lease = None  # (key, token)
        self.steps = [(getattr(self, name), weight) for name, weight in MIX
                      if name.split("_")[0] in features]
        self.bodies, self.weights = zip(*self.steps)

    def work(self, count):
        while len(self.records) < count:
            for step in self.chance.choices(self.bodies, self.weights, k=64):
                step()
        self.client.close()
        return self.records

    # ---- Parts ----

    def new_id(self):
        self.issued += 1
        return self.number * 1_000_000_000 + self.issued

    def key(self, epoch, keys=KEYS):
        return f"{now() // epoch}-{self.chance.randrange(keys)}"

    def send(self, reads, method, target, body=b"", fields=""):
        try:
            answer = self.client.request(method, target, body, fields)
        except Lost as fault:
            time.sleep(0.01)
            raise (NotDone if reads else Unsure) from fault
        if answer.status < 500:
            return answer
        if answer.status == 501:
            raise AssertionError(f"{method} {target}: not supported, though /capabilities says so")
        time.sleep(0.005)
        if reads or b'"outcome":"unknown"' not in answer.body:
            raise NotDone
        raise Unsure

    def record(self, subject, ns, kind, key, args, call):
        """Runs `call`, which gives the result, and notes what is known of it; returns the result or None."""
        begin = now()
        try:
            result = call()
        except Unsure:
            self.records.append((subject, ns, Op(kind, key, begin, NEVER, args, None)))
            return None
        except NotDone:
            return None
        self.records.append((subject, ns, Op(kind, key, begin, now(), args, result)))
        return result

    @staticmethod
    def expect(answer, *statuses):
        if answer.status not in statuses:
            raise AssertionError(f"status {answer.status}, not one of {statuses}: {answer.body[:300]!r}")
        return answer

    # ---- Entries ----

    def put(self, subject, ns, key, put, fields="", kind="put", args=None):
        def call():
            answer = self.expect(self.send(False, "PUT", f"/raw/{ns}/{key}?ttl=none", str(put.id).encode(), fields),
                                 200, 201, 412)
            if answer.status == 412:
                return "refused"
            self.remember(ns, key, answer.field(b"ETag"), put.id)
            return "created" if answer.status == 201 else "replaced"
        return self.record(subject, ns, kind, key, put if args is None else args, call)

    def remember(self, ns, key, etag, id):
        if len(self.seen) > 200:
            self.seen.clear()
        self.seen[ns, key] = (etag, id)

    def get(self, subject, ns, key):
        def call():
            answer = self.expect(self.send(True, "GET", f"/raw/{ns}/{key}"), 200, 404)
            if answer.status == 404:
                return "absent"
            id = int(answer.body)
            self.remember(ns, key, answer.field(b"ETag"), id)
            return id
        return self.record(subject, ns, "get", key, None, call)

    def delete(self, subject, ns, key):
        def call():
            return self.expect(self.send(False, "DELETE", f"/cache/{ns}/{key}"), 200, 404).status == 200
        self.record(subject, ns, "delete", key, None, call)

    def flush(self, subject, ns):
        def call():
            self.expect(self.send(False, "POST", f"/flush?namespace={ns}"), 200)
            return True
        self.record(subject, ns, "flush", "*", None, call)

    def entry_ns(self):
        return f"e{self.run}-{self.chance.randrange(2)}"

    def entry_get(self):
        self.get(ENTRY, self.entry_ns(), self.key(ENTRY_EPOCH))

    def entry_put(self):
        self.put(ENTRY, self.entry_ns(), self.key(ENTRY_EPOCH), Put(self.new_id()))

    def entry_put_if(self):
        ns, key = self.entry_ns(), self.key(ENTRY_EPOCH)
        if (ns, key) not in self.seen:
            self.get(ENTRY, ns, key)
        etag, id = self.seen.get((ns, key), (None, None))
        if etag is not None:
            self.put(ENTRY, ns, key, Put(self.new_id(), if_match=id), f"If-Match: {etag}\r\n")

    def entry_create(self):
        self.put(ENTRY, self.entry_ns(), self.key(ENTRY_EPOCH), Put(self.new_id(), if_none=True), "If-None-Match: *\r\n")

    def entry_fenced(self):
        fence = now() // 1_000_000 % 100_000_000 + self.chance.randrange(1, 60)
        self.put(ENTRY, self.entry_ns(), self.key(ENTRY_EPOCH), Put(self.new_id(), fence=fence),
                 f"Fence-Token: {fence}\r\n")

    def entry_delete(self):
        self.delete(ENTRY, self.entry_ns(), self.key(ENTRY_EPOCH))

    def entry_flush(self):
        self.flush(ENTRY, self.entry_ns())

    # ---- Counters ----

    def counter_add(self):
        ns, key = f"c{self.run}", self.key(ENTRY_EPOCH, 4)
        by = self.chance.choice([1, 1, 1, 2, -1])
        bounds = (-20, 60) if key.endswith("0") else WORST
        body = {"by": by} if bounds is WORST else {"by": by, "min": bounds[0], "max": bounds[1]}

        def call():
            answer = self.expect(self.send(False, "POST", f"/counters/{ns}/{key}", json.dumps(body).encode()), 200, 409)
            value = json.loads(answer.body)["value"]
            return value if answer.status == 200 else ("bound", value)
        self.record(COUNTER, ns, "add", key, (by, 0, *bounds), call)

    def counter_get(self):
        ns, key = f"c{self.run}", self.key(ENTRY_EPOCH, 4)

        def call():
            answer = self.expect(self.send(True, "GET", f"/counters/{ns}/{key}"), 200, 404)
            return json.loads(answer.body)["value"] if answer.status == 200 else "absent"
        self.record(COUNTER, ns, "get", key, None, call)

    def counter_delete(self):
        ns, key = f"c{self.run}", self.key(ENTRY_EPOCH, 4)

        def call():
            return self.expect(self.send(False, "DELETE", f"/counters/{ns}/{key}"), 200, 404).status == 200
        self.record(COUNTER, ns, "delete", key, None, call)

    # ---- Rate limits ----

    def limit_take(self):
        algorithm = self.chance.choice(["fixed-window", "sliding-window", "token-bucket"])
        ns, key, limit = f"r{self.run}-{algorithm}", self.key(LOCK_EPOCH, 2), 20
        body = json.dumps({"limit": limit, "window": f"{WINDOW_MS}ms", "algorithm": algorithm}).encode()

        def call():
            return self.expect(self.send(False, "POST", f"/limits/{ns}/{key}", body), 200, 429).status == 200
        self.record(LIMIT, ns, "take", key, (algorithm, limit, WINDOW_MS * 1_000_000, 1), call)

    # ---- Locks ----

    def lock_step(self):
        if self.lock is None:
            self.acquire()
            return
        ns, key, token, until = self.lock
        chance = self.chance.random()
        if chance < 0.1 and now() < until:
            self.renew(ns, key, token)
        elif chance < 0.6 or now() > until + SECOND // 2:
            self.release(ns, key, token)
            self.lock = None
        elif chance < 0.63:
            self.lock = None  # forgotten: its time ends it

    def acquire(self):
        ns, key, ttl_ms = f"k{self.run}", self.key(LOCK_EPOCH, 2), self.chance.choice([150, 400, 1000])
        wait = self.chance.choice([0, 0, 0, 0.02])
        body = json.dumps({"ttl": ttl_ms / 1000, "wait": wait}).encode()

        def call():
            answer = self.expect(self.send(False, "POST", f"/locks/{ns}/{key}", body), 201, 409)
            if answer.status == 409:
                return "held"
            grant = json.loads(answer.body)
            return (grant["token"], grant["fence"])
        # A waiting request may have been refused long before its end, and granted long after its start.
        result = self.record(LOCK, ns, "acquire", key, ttl_ms * 1_000_000, call)
        if isinstance(result, tuple):
            self.lock = (ns, key, result[0], now() + ttl_ms * 1_000_000)

    def renew(self, ns, key, token):
        def call():
            return self.expect(self.send(False, "PATCH", f"/locks/{ns}/{key}", b'{"ttl":0.3}',
                                         f"Lock-Token: {token}\r\n"), 200, 412).status == 200
        self.record(LOCK, ns, "renew", key, (token, 300_000_000), call)

    def release(self, ns, key, token):
        def call():
            return self.expect(self.send(False, "DELETE", f"/locks/{ns}/{key}", b"", f"Lock-Token: {token}\r\n"),
                               204, 412).status == 204
        self.record(LOCK, ns, "release", key, token, call)

    # ---- Leases ----

    def lease_step(self):
        ns = f"l{self.run}"
        if self.lease is not None and self.chance.random() < 0.5:
            key, token = self.lease
            self.lease = None
            self.fill(ns, key, token)
            return
        key = self.key(ENTRY_EPOCH, 3)

        def call():
            answer = self.expect(self.send(True, "GET", f"/raw/{ns}/{key}?lease=2s"), 200, 404)
            if answer.status == 200:
                return ("hit", int(answer.body))
            lease = answer.field(b"Cache-Lease")
            return ("won", lease.partition("token=")[2]) if lease.startswith("won") else "held"
        result = self.record(LEASE, ns, "lease", key, 2 * SECOND, call)
        if result is not None and result[0] == "won":
            self.lease = (key, result[1])

    def fill(self, ns, key, token):
        put, told = Put(self.new_id()), ["created"]

        def call():
            answer = self.expect(self.send(False, "PUT", f"/raw/{ns}/{key}?ttl=none", str(put.id).encode(),
                                           f"Lease-Token: {token}\r\n"), 200, 201, 412)
            told[0] = "created" if answer.status == 201 else "replaced"
            return answer.status != 412
        begin = len(self.records)
        self.record(LEASE, ns, "fill", key, (token, put, "created"), call)
        if len(self.records) > begin:
            subject, ns, op = self.records[-1]
            self.records[-1] = (subject, ns, op._replace(args=(token, put, told[0])))

    def lease_void(self):
        ns, key, chance = f"l{self.run}", self.key(ENTRY_EPOCH, 3), self.chance.random()
        if chance < 0.4:
            self.delete(LEASE, ns, key)
        elif chance < 0.9:
            self.put(LEASE, ns, key, Put(self.new_id()))
        else:
            self.flush(LEASE, ns)
