"""Redis with TLS: certificates made for the test, and a server that speaks nothing else."""

import os
import subprocess
import tempfile

from support.redis_servers import RedisServer


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Certificates:
    """An authority with a server's and a client's certificate, and a stranger of which nobody has heard."""

    def __init__(self, server_names="DNS:redis.test,IP:127.0.0.1"):
        self._temporary = tempfile.TemporaryDirectory(prefix="cubby-tls-")
        self.folder = self._temporary.name
        for authority in ("ca", "stranger"):
            _openssl(self.folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", f"{authority}.key", "-out", f"{authority}.crt", "-days", "2", "-subj",
                     f"/CN=test {authority}", "-addext", "basicConstraints=critical,CA:TRUE")
        self._issue("server", f"subjectAltName={server_names}")
        self._issue("client", "extendedKeyUsage=clientAuth")

    def _issue(self, name, extension):
        with open(self.path(f"{name}.ext"), "w", encoding="ascii") as file:
            file.write(extension + "\n")
        _openssl(self.folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                 f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        _openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                 "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")

    def path(self, name):
        return os.path.join(self.folder, name)

    def remove(self):
        self._temporary.cleanup()


class RedisTlsServer(RedisServer):
    """A server whose only port is one for TLS. `client_certificates`: whether it asks clients for theirs."""

    def __init__(self, *options, client_certificates=False, server_names="DNS:redis.test,IP:127.0.0.1"):
        super().__init__(*options)
        self.certificates = Certificates(server_names)
        self.client_certificates = client_certificates

    def command(self):
        path = self.certificates.path
        command = super().command()
        command[command.index("--port")] = "--tls-port"
        return [*command, "--port", "0", "--tls-cert-file", path("server.crt"), "--tls-key-file", path("server.key"),
                "--tls-ca-cert-file", path("ca.crt"), "--tls-auth-clients", "yes" if self.client_certificates else "no"]

    def settings(self):
        settings = {**super().settings(), "REDIS_TLS": "on", "REDIS_TLS_CA": self.certificates.path("ca.crt")}
        if self.client_certificates:
            settings["REDIS_TLS_CERT"] = self.certificates.path("client.crt")
            settings["REDIS_TLS_KEY"] = self.certificates.path("client.key")
        return settings

    def stop(self):
        super().stop()
        self.certificates.remove()
