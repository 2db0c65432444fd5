"""What a voter's nats-server is told: listeners, certificates, store, and who may do what.

A host is the user that its certificate names (the DNS name in it), so there are no passwords, and
it publishes under its own name only: the author of a log's record is a fact that the server
checked. Streams live in the account of the core hosts; edge hosts have another one that imports a
few subjects. That matters because the server sends an answer to whatever subject the question
names, unchecked: within the account of the streams, an edge host could so have it write records in
others' names. No edge host may create a consumer, which delivers to any subject just the same.
Routes between voters take only the keys of voters: a certificate of the network, which every edge
host has, must not make anybody a server.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from oneos.engine import subjects
from oneos.errors import InternalError, UserError
from oneos.limits import (
    ENGINE_CONNECTIONS_MAX,
    ENGINE_LOG_BYTES_MAX,
    ENGINE_MEMORY_STORE_BYTES_MAX,
    ENGINE_PENDING_BYTES_MAX,
    ENGINE_STORE_BYTES_MAX,
    FRAME_BYTES_MAX,
)

_CORE = subjects.CORE_ACCOUNT
_EDGE = "EDGE"
_SYSTEM = "SYSTEM"

_FETCH = "DIRECT.GET.*"
_QUESTIONS = ("STREAM.INFO.*", "STREAM.MSG.GET.*")

_ASKED_BY_EDGE = tuple(f"{subjects.EDGE_API}.{each}" for each in (*_QUESTIONS, _FETCH))
_ASKED_BY_CORE = (
    f"{subjects.API}.{_FETCH}",
    f"{subjects.API}.INFO",
    f"{subjects.API}.STREAM.>",
    f"{subjects.SNAPSHOT_HEAD}.*",
    f"{subjects.SNAPSHOT_PART}.>",
    f"{subjects.REPLAY}.>",
)

# What every host may listen to.
_HEARD = (
    f"{subjects.LOGGED}.>",
    f"{subjects.PUBLISHED}.>",
    f"{subjects.BEAT}.*",
)


@dataclass(frozen=True)
class User:
    """A host that may connect. A core host may also create, change and compact streams."""

    host: str
    core: bool


@dataclass(frozen=True)
class ServerSpec:
    """One voter of one generation.

    Args:
        directory: where the configuration, the log file and the store are kept.
        name: the server's name, unique for ever: of host and generation.
        cluster: the network's name.
        listen: the address both listeners bind.
        client_port, cluster_port: TCP ports; the second is unused by a single voter.
        routes: address and cluster port of every voter; empty for a single one.
        ca, cert, key: paths of PEM files; the certificate names the host as DNS name.
        generation: of the set of voters; each has its own store.
        pins: `key_pin` of every voter's certificate; needed as soon as there are routes.
    """

    directory: Path
    name: str
    cluster: str
    listen: str
    client_port: int
    cluster_port: int
    routes: Sequence[tuple[str, int]]
    ca: Path
    cert: Path
    key: Path
    generation: int
    pins: Sequence[str] = field(default=())

    @property
    def config_path(self) -> Path:
        return self.directory / f"gen-{self.generation}.conf"

    @property
    def log_path(self) -> Path:
        return self.directory / f"gen-{self.generation}.log"

    @property
    def store(self) -> Path:
        return self.directory / f"gen-{self.generation}"


def key_pin(certificate_pem: bytes) -> str:
    """The SHA-256 of a certificate's public key (its DER SubjectPublicKeyInfo), in hex.

    Raises:
        UserError: it is not a certificate.
    """
    try:
        public = x509.load_pem_x509_certificate(certificate_pem).public_key()
    except ValueError:
        raise UserError("this is not a certificate in PEM form") from None
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def render(spec: ServerSpec, users: Iterable[User]) -> str:
    """The configuration file's text.

    Raises:
        InternalError: there are routes and no pins.
    """
    tls = {"cert_file": str(spec.cert), "key_file": str(spec.key), "ca_file": str(spec.ca)}
    settings: dict[str, object] = {
        "server_name": spec.name,
        "host": spec.listen,
        "port": spec.client_port,
        "tls": {**tls, "verify_and_map": True, "timeout": 5},
        "max_payload": FRAME_BYTES_MAX,
        "max_pending": ENGINE_PENDING_BYTES_MAX,
        "max_connections": ENGINE_CONNECTIONS_MAX,
        # A host that falls silent is noticed after about three seconds.
        "ping_interval": "1s",
        "ping_max": 2,
        "write_deadline": "5s",
        "log_file": str(spec.log_path),
        "logfile_size_limit": ENGINE_LOG_BYTES_MAX,
        "logfile_max_num": 2,
        "jetstream": {
            "store_dir": str(spec.store),
            "max_memory_store": ENGINE_MEMORY_STORE_BYTES_MAX,
            "max_file_store": ENGINE_STORE_BYTES_MAX,
            # Without it a power cut takes every acknowledged write of two minutes.
            "sync_interval": "always",
        },
        "authorization": {"timeout": 5},
        "accounts": _accounts(users),
        "system_account": _SYSTEM,
    }
    if spec.routes:
        if not spec.pins:
            raise InternalError("a cluster needs the pins of its voters' keys")
        settings["cluster"] = {
            "name": spec.cluster,
            "host": spec.listen,
            "port": spec.cluster_port,
            "no_advertise": True,
            "pool_size": 1,
            "routes": [f"nats-route://{_bracketed(host)}:{port}" for host, port in spec.routes],
            # `insecure` drops the comparison of the address we dial with the certificate, which
            # names the host instead. The pins are the stricter check, and hold both ways.
            "tls": {
                **tls,
                "verify": True,
                "insecure": True,
                "pinned_certs": list(spec.pins),
                "timeout": 5,
            },
        }
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _accounts(users: Iterable[User]) -> dict[str, object]:
    users = list(users)
    return {
        _CORE: {
            "jetstream": "enabled",
            "users": [_user(user.host, _ASKED_BY_CORE) for user in users if user.core],
            "exports": [
                *({"service": subject} for subject in _published_by("")),
                *({"service": f"{subjects.API}.{question}"} for question in _QUESTIONS),
                # One question, many answers.
                {"service": f"{subjects.API}.{_FETCH}", "response_type": "stream"},
                *({"stream": subject} for subject in _HEARD),
            ],
        },
        _EDGE: {
            "users": [_user(user.host, _ASKED_BY_EDGE) for user in users if not user.core],
            "imports": [
                *({"service": _of_core(subject)} for subject in _published_by("")),
                *(
                    {
                        "service": _of_core(f"{subjects.API}.{question}"),
                        "to": f"{subjects.EDGE_API}.{question}",
                    }
                    for question in (*_QUESTIONS, _FETCH)
                ),
                *({"stream": _of_core(subject)} for subject in _HEARD),
            ],
        },
        _SYSTEM: {"users": []},
    }


def _of_core(subject: str) -> dict[str, str]:
    return {"account": _CORE, "subject": subject}


def _published_by(host: str) -> list[str]:
    """Where a host may send records; with the empty name, any host."""
    token = subjects.encode_token(host) if host else "*"
    return [f"{subjects.LOG}.*.{token}", f"{subjects.TOPIC}.>", f"{subjects.BEAT}.{token}"]


def _user(host: str, asked: Sequence[str]) -> dict[str, object]:
    publish = [*_published_by(host), *asked, subjects.WHO_AM_I]
    hear = [f"{subjects.INBOX}.{subjects.encode_token(host)}.>", *_HEARD]
    return {
        "user": host,
        "permissions": {"publish": {"allow": publish}, "subscribe": {"allow": hear}},
    }
