"""The Boot Record: what a starting Runtime must know before it can ask anybody.

It names the network, where the engine and the Runtimes answer, and where the manifest is. It is
signed by the network's CA key, so any host may hand it out and none can alter it. Which record is
the newest is told by `generation`, then `serial`; comparing them is the reader's business.
"""

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from oneos.errors import AuthError
from oneos.net.identity import Identity
from oneos.net.pki import fingerprint, load_ca_key
from oneos.unreadable import UNREADABLE

# The CA's key signs certificates too: the prefix keeps one kind from passing for the other.
_PURPOSE = b"oneos boot record 1\0"


class BootRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a network is to be found.

    `engine` lists the voters' (host, port), `runtimes` the (name, host, port) of Runtimes that
    answer first questions; `manifest` is the path or text by which the manifest is found.
    """

    network: str
    ca_fingerprint: str
    serial: int
    generation: int
    engine: list[tuple[str, int]]
    runtimes: list[tuple[str, str, int]]
    manifest: str


class _Signed(msgspec.Struct, array_like=True, frozen=True):
    payload: bytes
    signature: bytes


def sign(record: BootRecord, identity: Identity) -> bytes:
    """The record as it is handed out.

    Raises:
        UserError: this host does not hold the network's key.
    """
    payload = msgspec.msgpack.encode(record)
    signature = load_ca_key(identity).sign(_PURPOSE + payload, ec.ECDSA(hashes.SHA256()))
    return msgspec.msgpack.encode(_Signed(payload, signature))


def verify(raw: bytes, ca_pem: bytes) -> BootRecord:
    """Read a record and check that the network with this CA signed it.

    Raises:
        AuthError: it is damaged, altered, or of another network.
    """
    expected = fingerprint(ca_pem)
    public = x509.load_pem_x509_certificate(ca_pem).public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise AuthError("the network's certificate has a key that is not EC")
    try:
        signed = msgspec.msgpack.decode(raw, type=_Signed)
        public.verify(signed.signature, _PURPOSE + signed.payload, ec.ECDSA(hashes.SHA256()))
        record = msgspec.msgpack.decode(signed.payload, type=BootRecord)
    except InvalidSignature:
        raise AuthError("the boot record is not signed by the network's key") from None
    except UNREADABLE:
        raise AuthError("the boot record is damaged") from None
    if record.ca_fingerprint != expected:
        raise AuthError("the boot record is of another network")
    return record
