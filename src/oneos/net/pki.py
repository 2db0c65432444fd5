"""The certificates of a network: one CA, and one certificate a host.

A network is its CA: whoever holds its key can let hosts in and sign the Boot Record. Keys are EC
P-256, because their arithmetic is fast on small hosts and every TLS library has it. Host
certificates serve both ends of a connection, since each Runtime is a server and a client. What a
host may do is not decided here: a certificate says only who it is.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from oneos.errors import AuthError, UserError
from oneos.net.identity import (
    CA_CERTIFICATE,
    CA_KEY,
    Identity,
    check_name,
    install,
    subject_of,
)

CA_LIFETIME = timedelta(days=3652)
HOST_LIFETIME = timedelta(days=730)

# Boards without a battery start with the time of their last shutdown: a certificate made a moment
# ago must be valid there too.
_BACKDATED = timedelta(days=2)


def create_network(directory: str | os.PathLike[str], network: str, host: str) -> Identity:
    """Make a new network, with this host as its first.

    Args:
        directory: where the identity goes; created with mode 0700.
        network: the network's name, by the rules of host names.
        host: this host's name.

    Raises:
        UserError: a name is not valid, the folder holds an identity already, or cannot be written.
    """
    check_name(network, "network name")
    check_name(host)
    folder = Path(directory)
    for name in (CA_CERTIFICATE, CA_KEY):
        if (folder / name).exists():
            raise UserError(
                f"{folder} already holds the identity of a network",
                errno=17,
                hint="start it with `oneos up`, or choose another directory",
            )
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _self_signed(ca_key, network)
    host_key = ec.generate_private_key(ec.SECP256R1())
    certificate = _host_certificate(ca, ca_key, host_key.public_key(), network, host)
    return install(
        folder, _certificate_pem(ca), _certificate_pem(certificate), _pem(host_key), _pem(ca_key)
    )


def make_request(host: str) -> tuple[bytes, bytes]:
    """A new key for `host`, and the request to certify it. Returns (key_pem, csr_pem)."""
    check_name(host)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return _pem(key), request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def sign_request(identity: Identity, csr_pem: bytes, host: str) -> bytes:
    """Certify the key in a request for `host`, and nothing else that the request may ask for.

    Args:
        identity: of a host that holds the network's key.
        csr_pem: made by `make_request` at the joining host.
        host: the name the network agreed to; the request must name the same.

    Raises:
        AuthError: the request is damaged, names another host, or its key is not EC P-256.
        UserError: this host does not hold the network's key, or the name is not valid.
    """
    check_name(host)
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        name = subject_of(request, NameOID.COMMON_NAME)
        public = request.public_key()
        genuine = request.is_signature_valid
    except (ValueError, TypeError, LookupError):
        raise AuthError(f"the certificate request of host {host} is damaged") from None
    if name != host:
        raise AuthError(f"the certificate request of host {host} is for {name!r}")
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise AuthError(f"the certificate request of host {host} has a key that is not EC P-256")
    if not genuine:
        raise AuthError(f"the certificate request of host {host} is not signed by its own key")
    ca = x509.load_pem_x509_certificate(identity.ca_pem)
    ca_key = load_ca_key(identity)
    return _certificate_pem(_host_certificate(ca, ca_key, public, identity.network, host))


def fingerprint(ca_pem: bytes) -> str:
    """SHA-256 of a certificate's DER form, in lower-case hex: what a join token pins.

    Raises:
        AuthError: it is not a certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(ca_pem)
    except ValueError:
        raise AuthError("the network's certificate is damaged") from None
    return certificate.fingerprint(hashes.SHA256()).hex()


def load_ca_key(identity: Identity) -> ec.EllipticCurvePrivateKey:
    """The network's private key.

    Raises:
        UserError: this host does not hold it, or the file is damaged.
    """
    try:
        key = serialization.load_pem_private_key(identity.ca_key_path.read_bytes(), None)
    except OSError:
        raise UserError(
            f"host {identity.host} does not hold the key of network {identity.network}",
            errno=1,
            hint="ask a host that does: the network's first one, or one that joined as core",
        ) from None
    except (ValueError, TypeError):
        raise UserError(f"{identity.ca_key_path} is damaged") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UserError(f"{identity.ca_key_path} is not an EC key")
    return key


def _self_signed(key: ec.EllipticCurvePrivateKey, network: str) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, network),
            x509.NameAttribute(NameOID.COMMON_NAME, "OneOS network"),
        ]
    )
    return (
        _builder(name, name, key.public_key(), CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _host_certificate(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    public: ec.EllipticCurvePublicKey,
    network: str,
    host: str,
) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, network),
            x509.NameAttribute(NameOID.COMMON_NAME, host),
        ]
    )
    both_ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _builder(subject, ca.subject, public, HOST_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_ends), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        # The CA's key signs Boot Records as well.
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
