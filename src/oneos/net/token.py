"""Join tokens: what a person carries from a network to a host that shall enter it.

A token says which network is meant (the fingerprint of its CA, so that the new host can tell the
real one from an impostor before it sends anything) and holds a secret that the network accepts
once. It is one word of lower-case letters and digits after its prefix, so that a double click
takes all of it. A checksum tells a paste that lost characters from a token that is simply not
valid here; whether the secret is still good, only the network can say.
"""

import base64
import hashlib
import os
import secrets
import sys
from dataclasses import dataclass, field

from oneos.errors import UserError

_PREFIX = "oneos1."
_FINGERPRINT_BYTES = 32
_SECRET_BYTES = 16
_CHECKSUM_BYTES = 4
_BYTES = _FINGERPRINT_BYTES + _SECRET_BYTES + _CHECKSUM_BYTES
_CHARACTERS = -(-_BYTES * 8 // 5)
_FILE_BYTES_MAX = 4096

_HINT = "print a new one with `oneos token` at a host of the network"


@dataclass(frozen=True)
class Token:
    """One permission to join: the network's CA by its fingerprint (hex), and a secret."""

    fingerprint: str
    secret: bytes = field(repr=False)

    @classmethod
    def create(cls, fingerprint: str) -> "Token":
        """A new token for the network with this CA fingerprint (`pki.fingerprint`)."""
        return cls(fingerprint, secrets.token_bytes(_SECRET_BYTES))

    def secret_hash(self) -> str:
        """SHA-256 of the secret in hex: what the network keeps, so that its log gives none away."""
        return hashlib.sha256(self.secret).hexdigest()

    def __str__(self) -> str:
        payload = bytes.fromhex(self.fingerprint) + self.secret
        return _PREFIX + _base32(payload + _checksum(payload))

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Read a token's text form; blanks around it do not matter, nor does case.

        Raises:
            UserError: it is no token, is incomplete, or has a wrong character.
        """
        word = text.strip().lower()
        if not word:
            raise UserError("the token is empty", hint=_HINT)
        if not word.startswith(_PREFIX) or len(word.split()) != 1:
            raise UserError(
                "this is not a join token",
                hint=f"a token is one word that starts with {_PREFIX}; {_HINT}",
            )
        body = word[len(_PREFIX) :]
        if len(body) != _CHARACTERS:
            raise UserError(
                f"the token has {len(body)} characters after {_PREFIX} and should have "
                f"{_CHARACTERS}: it was not pasted whole"
                if len(body) < _CHARACTERS
                else f"the token is longer than {_CHARACTERS} characters after {_PREFIX}",
                hint="copy it again",
            )
        try:
            raw = base64.b32decode(body.upper() + "=" * (-len(body) % 8))
        except ValueError:
            raw = b""
        payload, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
        # The last character has bits to spare: only the one spelling is a token.
        if len(raw) != _BYTES or _checksum(payload) != checksum or _base32(raw) != body:
            raise UserError("the token has a wrong character", hint="copy it again")
        return cls(payload[:_FINGERPRINT_BYTES].hex(), payload[_FINGERPRINT_BYTES:])


def read_token_file(path: str) -> Token:
    """The token in a file, or on standard input where `path` is `-`.

    Raises:
        UserError: it cannot be read, or holds no token.
    """
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(_FILE_BYTES_MAX)
        else:
            with open(path, "rb") as file:
                raw = file.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise UserError(
            f"cannot read the token file {path}: {os.strerror(error.errno or 5)}",
            errno=error.errno,
            hint=f"write the token into it, or give it on standard input: --token-file -; {_HINT}",
        ) from None
    return Token.parse(raw.decode("ascii", "replace"))


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def _checksum(payload: bytes) -> bytes:
    return hashlib.sha256(_PREFIX.encode() + payload).digest()[:_CHECKSUM_BYTES]
