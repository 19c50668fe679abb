"""A peer between the service and a real Redis that passes requests on and does to the replies what a script says."""

import selectors
import socket
import threading
import time


class Script:
    """What happens to the replies of one connection. `at` counts its reply bytes; -1: never."""

    def __init__(self, cut_at=-1, corrupt_at=-1, corrupt_with=0xFF, split=0, delay_at=-1, delay=0.0, stop_at=-1):
        self.cut_at, self.corrupt_at, self.corrupt_with = cut_at, corrupt_at, corrupt_with
        self.split, self.delay_at, self.delay, self.stop_at = split, delay_at, delay, stop_at


class Peer:
    """Every connection follows the script that stands when it is accepted."""

    def __init__(self, port):
        self.target = port
        self.script = Script()
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def settings(self):
        return {"CACHE_ENGINE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.port)}

    def stop(self):
        self.listener.close()
        self.drop_all()

    def drop_all(self):
        for end in self.open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open = []

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open += [client, server]
            threading.Thread(target=self._relay, args=(client, server, self.script), daemon=True).start()

    def _relay(self, client, server, script):
        passed = 0
        with selectors.DefaultSelector() as selector, client, server:
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in selector.select():
                        data = key.fileobj.recv(65536)
                        if not data:
                            return
                        if key.fileobj is client:
                            server.sendall(data)
                        elif not self._reply(client, data, passed, script):
                            return
                        else:
                            passed += len(data)
            except OSError:
                return

    @staticmethod
    def _reply(client, data, passed, script):
        """False: this connection ends here."""
        def within(at):
            return at >= 0 and passed <= at < passed + len(data)

        if script.stop_at >= 0 and passed + len(data) > script.stop_at:
            client.sendall(data[:max(0, script.stop_at - passed)])
            time.sleep(3)
            return False
        if within(script.delay_at):
            time.sleep(script.delay)
        if within(script.corrupt_at):
            index = script.corrupt_at - passed
            data = data[:index] + bytes([data[index] ^ script.corrupt_with]) + data[index + 1:]
        if within(script.cut_at):
            client.sendall(data[:script.cut_at - passed])
            return False
        if script.split:
            for index in range(0, len(data), script.split):
                client.sendall(data[index:index + script.split])
                time.sleep(0.0002)
        else:
            client.sendall(data)
        return True
