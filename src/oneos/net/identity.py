"""Who this host is: its name, its network, and the files that prove it.

An identity is a folder of four files: `ca.pem` (the network), `host.pem` and `host.key` (this
host), and on hosts that may let others in, `ca.key`. This module decides what a valid name is and
how the files are written and read back; making and signing certificates is `pki`'s business, using
them in TLS is `tls`'s.
"""

import hashlib
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from oneos.errors import AuthError, UserError
from oneos.ids import HostName

# A label of a DNS name, since the name stands in certificates and is checked as one.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")

CA_CERTIFICATE = "ca.pem"
CA_KEY = "ca.key"
HOST_CERTIFICATE = "host.pem"
HOST_KEY = "host.key"


def valid_host_name(name: str) -> bool:
    """Whether `name` may name a host: 1 to 63 letters, digits and inner hyphens."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str, what: str = "host name") -> str:
    """Return `name`, or raise UserError saying what a valid one looks like."""
    if not valid_host_name(name):
        raise UserError(
            f"{name!r} is not a valid {what}",
            hint="use 1 to 63 letters, digits and hyphens, with no hyphen at either end",
        )
    return name


@dataclass(frozen=True)
class Identity:
    """This host as the others know it. Two loads of the same files are equal, not identical."""

    network: str
    host: HostName
    directory: Path
    ca_pem: bytes = field(repr=False)
    has_ca_key: bool

    @property
    def ca_path(self) -> Path:
        """The network's certificate."""
        return self.directory / CA_CERTIFICATE

    @property
    def certificate_path(self) -> Path:
        """This host's certificate."""
        return self.directory / HOST_CERTIFICATE

    @property
    def key_path(self) -> Path:
        """This host's private key."""
        return self.directory / HOST_KEY

    @property
    def ca_key_path(self) -> Path:
        """The network's private key; there only if `has_ca_key`."""
        return self.directory / CA_KEY

    @classmethod
    def exists(cls, directory: str | os.PathLike[str]) -> bool:
        """Whether the folder holds an identity, be it whole or damaged."""
        return (Path(directory) / HOST_CERTIFICATE).exists()

    @property
    def hash_seed(self) -> int:
        """A seed for the hashes of programs' strings, the same on all hosts of the network and
        not known outside; never 0, which would turn them off."""
        digest = hashlib.sha256(b"hashes of strings\0" + self.ca_pem).digest()
        return int.from_bytes(digest[:4], "little") or 1

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> "Identity":
        """Read the identity in `directory` and check that its parts belong together.

        Raises:
            UserError: there is none, or a file of it cannot be read.
            AuthError: certificate, key and network do not fit, or the certificate has expired.
        """
        folder = Path(directory)
        ca_pem = _read(folder / CA_CERTIFICATE)
        certificate_pem = _read(folder / HOST_CERTIFICATE)
        key_pem = _read(folder / HOST_KEY)
        network, host = check_parts(ca_pem, certificate_pem, key_pem, str(folder))
        return cls(network, host, folder, ca_pem, (folder / CA_KEY).exists())


def check_parts(
    ca_pem: bytes, certificate_pem: bytes, key_pem: bytes, where: str
) -> tuple[str, HostName]:
    """Check that a host's key and certificate fit, and that the network's CA signed it.

    Returns:
        The network's name and the host's, as the certificate says.

    Raises:
        AuthError: a part is damaged, foreign or expired; `where` stands in the message.
    """
    try:
        ca = x509.load_pem_x509_certificate(ca_pem)
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = serialization.load_pem_private_key(key_pem, None)
        host = subject_of(certificate, NameOID.COMMON_NAME)
        network = subject_of(certificate, NameOID.ORGANIZATION_NAME)
    except (ValueError, TypeError, LookupError) as error:
        raise AuthError(
            f"the identity in {where} is damaged: {error}", hint="join the network again"
        ) from None
    try:
        certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, ValueError, TypeError):
        raise AuthError(
            f"the certificate in {where} is not of the network in its {CA_CERTIFICATE}",
            hint="join the network again",
        ) from None
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or key.public_key() != public:
        raise AuthError(
            f"the key in {where} does not belong to the certificate beside it",
            hint="join the network again",
        )
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise AuthError(
            f"the certificate of host {host} expired on {certificate.not_valid_after_utc:%Y-%m-%d}",
            hint="check this host's clock; if it is right, join the network again",
        )
    return network, HostName(host)


def install(
    directory: str | os.PathLike[str],
    ca_pem: bytes,
    certificate_pem: bytes,
    key_pem: bytes,
    ca_key_pem: bytes | None = None,
) -> Identity:
    """Write an identity that a network has given us, and load it.

    The parts are checked before anything is written. The certificate goes last: only with it does
    the folder count as an identity, so an interrupted install is none.

    Raises:
        AuthError: the parts do not fit.
        UserError: the folder cannot be written.
    """
    check_parts(ca_pem, certificate_pem, key_pem, "the answer of the network")
    folder = Path(directory)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(folder / HOST_KEY, key_pem)
        write_private(folder / CA_CERTIFICATE, ca_pem)
        if ca_key_pem is not None:
            write_private(folder / CA_KEY, ca_key_pem)
        write_private(folder / HOST_CERTIFICATE, certificate_pem)
    except OSError as error:
        raise UserError(
            f"cannot write the identity in {folder}: {error.strerror}", errno=error.errno
        ) from None
    return Identity.load(folder)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads: whole or not at all, on disk when this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    # Without O_EXCL a leftover of another mode would be written to, and stay readable.
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # The directory is synced too: without it a rename can vanish on power loss.
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def subject_of(certificate: x509.Certificate | x509.CertificateSigningRequest, oid: object) -> str:
    """One attribute of a certificate's subject. Raises LookupError unless there is exactly one."""
    values = [a.value for a in certificate.subject if a.oid == oid]
    if len(values) != 1 or not isinstance(values[0], str):
        raise LookupError("the subject of the certificate is not one of OneOS's")
    return values[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"there is no identity in {path.parent}: {path.name} is missing",
            errno=2,
            hint="make a network with `oneos up`, or enter one with `oneos join`",
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", errno=error.errno) from None
