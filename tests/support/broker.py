"""A true MQTT broker: nats-server with its MQTT listener, which can be killed and started again."""

from __future__ import annotations

import datetime
import json
import socket
import subprocess
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from oneos.engine.binary import find_server

START_S = 60.0


class Broker:
    """A broker in a directory of its own.

    Args:
        directory: for its store, configuration and certificate.
        user, password: who may connect; without them, anybody.
        tls: whether it speaks TLS, with the certificate `ca` of 127.0.0.1.
    """

    def __init__(
        self, directory: Path, user: str = "", password: str = "", tls: bool = False
    ) -> None:
        self.directory = directory
        self.port = _free_port()
        self.ca = directory / "broker.pem"
        mqtt: dict[str, object] = {"host": "127.0.0.1", "port": self.port}
        if user:
            mqtt["authorization"] = {"username": user, "password": password}
        if tls:
            key = directory / "broker.key"
            _make_certificate(self.ca, key)
            mqtt["tls"] = {"cert_file": str(self.ca), "key_file": str(key)}
        settings = {
            "server_name": "broker",
            "host": "127.0.0.1",
            "port": -1,
            "jetstream": {"store_dir": str(directory / "store")},
            "mqtt": mqtt,
        }
        self._config = directory / "broker.conf"
        self._config.write_text(json.dumps(settings))
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        log = self.directory / "broker.log"
        command = [find_server(), "-c", str(self._config), "-l", str(log)]
        self._process = subprocess.Popen(command)
        deadline = time.monotonic() + START_S
        while True:
            assert self._process.poll() is None, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)

    def kill(self) -> None:
        """End it without a word to its clients."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_certificate(path: Path, key_path: Path) -> None:
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
