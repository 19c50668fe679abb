#!/usr/bin/env python3
"""Random rate limits through Redis' script and through engines/primitives: exactly the same answers.

  limit_agreement.py MODEL [STEPS] [SEED]     MODEL: the program limit_model

The script is told the time instead of asking for it, so time moves as the test wants: by microseconds and by many
windows, forwards and back. No key ends by itself meanwhile, its end being far away; one whose end has been passed is
removed by the test. A key must not end before its record does, nor outlive it by more than a fifteenth of the window.
"""

import os
import random
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.redis_servers import RedisServer  # noqa: E402

KEYS = 8
DAY_MS = 24 * 3600 * 1000
FIXED, SLIDING, BUCKET = range(3)


class Redis:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.replies = self.socket.makefile("rb")

    def call(self, *words):
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        line = self.replies.readline()
        kind, text = line[:1], line[1:-2]
        if kind == b"$":
            return None if text == b"-1" else self.replies.read(int(text) + 2)[:-2]
        if kind == b":":
            return int(text)
        if kind == b"-":
            raise SystemExit(f"redis: {text!r} to {words!r}")
        return text


class Model:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        return self.process.stdout.readline().strip()


def divide_up(number, by):
    return -(-number // by)


def arguments(algorithm, window_ms, limit, cost):
    """As engines/redis/primitive.c writes them."""
    head = b"R" + bytes([algorithm]) + struct.pack(">I", window_ms)
    numbers = struct.pack(">II", limit, cost)
    if algorithm == BUCKET:
        units = 1
        while window_ms * 1000 * units * 2 < 1 << 52:
            units *= 2
        numbers += struct.pack(">QQ", units, divide_up(window_ms * 1000 * units, limit))
    return head, numbers


class Key:
    """One limit as its clients use it: its parameters change now and then."""

    def __init__(self, chance):
        self.chance = chance
        self.algorithm = chance.randrange(3)
        self.window_ms = self.some_window()
        self.limit = self.some_limit()

    def some_window(self):
        return self.chance.choice([1, 7, 1000, 60_000, 3_600_000, DAY_MS, 30 * DAY_MS, self.chance.randint(1, 100_000)])

    def some_limit(self):
        return self.chance.choice([1, 2, 10, 100, 977, 1_000_000, 1_000_000_000, self.chance.randint(1, 1000)])

    def change_some(self):
        if self.chance.random() < 0.01:
            self.algorithm = self.chance.randrange(3)
        if self.chance.random() < 0.01:
            self.window_ms = self.some_window()
        if self.chance.random() < 0.03:
            self.limit = self.some_limit()

    def cost(self):
        """Mostly small ones, so that many grants meet within a window."""
        most = self.limit if self.chance.random() < 0.1 else self.limit // 20
        return self.chance.randint(0, most) if most > 0 and self.chance.random() < 0.5 else 1

    def pause_us(self):
        window_us = self.window_ms * 1000
        if self.chance.random() < 0.02:
            return self.chance.choice([-3 * window_us, -window_us, -window_us // 2, -1])
        return self.chance.choice([0, 1, window_us // 1000, window_us // 50, window_us // 50, window_us // 15, window_us,
                                   self.chance.randint(0, window_us // 10)])


def check_end(redis, name, key, expires_ms, where):
    end = redis.call("PEXPIRETIME", name)
    if end < expires_ms or end > expires_ms + divide_up(key.window_ms, 15) + 2:
        raise SystemExit(f"{where}: the key ends at {end}, its record at {expires_ms}, the window is {key.window_ms} ms")


def run(redis, model, script, steps, seed):
    chance = random.Random(seed)
    digest = redis.call("SCRIPT", "LOAD", script)
    keys = [Key(chance) for _ in range(KEYS)]
    clocks = [(int(time.time()) + 400 * 24 * 3600) * 1_000_000 for _ in range(KEYS)]
    granted = refused = patched = 0
    for step in range(steps):
        number = chance.randrange(KEYS)
        key, name = keys[number], f"limit:{number}"
        key.change_some()
        clocks[number] += key.pause_us()
        now, cost = clocks[number], key.cost()
        if 0 < redis.call("PEXPIRETIME", name) <= now // 1000:
            redis.call("DEL", name)
            model.ask("forget", number)
        before = redis.call("GET", name), redis.call("PEXPIRETIME", name)
        reply = redis.call("EVALSHA", digest, 1, name, *arguments(key.algorithm, key.window_ms, key.limit, cost),
                           now // 1_000_000, now % 1_000_000)
        *expected, expires_ms = map(int, model.ask("take", number, now, key.algorithm, key.window_ms, key.limit, cost).split())
        where = f"seed {seed}, step {step}, {vars(key)}, cost {cost}"
        if list(struct.unpack(">BIII", reply)) != expected:
            raise SystemExit(f"{where}: {struct.unpack('>BIII', reply)}, not {expected}")
        granted, refused = granted + expected[0], refused + 1 - expected[0]
        if expires_ms:
            check_end(redis, name, key, expires_ms, where)
            patched += before[0] != redis.call("GET", name) and before[1] == redis.call("PEXPIRETIME", name)
    print(f"{steps} steps agree: {granted} granted, {refused} refused, {patched} by patching the record")
    if min(granted, refused, patched) < steps / 20:
        raise SystemExit("hardly any of one kind: the test sees too little")


def main():
    program = sys.argv[1]
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 12_000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 44
    text = subprocess.run([program, "script"], stdout=subprocess.PIPE, check=True, text=True).stdout
    if text.count("call('TIME')") != 1:
        raise SystemExit("the script asks for the time in another way than this test knows")
    server = RedisServer().start()
    try:
        run(Redis(server.port), Model(program), text.replace("call('TIME')", "{ARGV[3], ARGV[4]}"), steps, seed)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
