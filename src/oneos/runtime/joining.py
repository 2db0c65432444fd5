"""How a host enters a network: the Name Server's side, and the joining side.

Any Runtime answers on its public port. A joining host first gets the CA's certificate and compares
it with the fingerprint in its token; only then does it show the token's secret, with a request for
a certificate. The Name Server has the control log judge the token and the name, signs, and answers
with the certificate and the signed Boot Record. One that does not hold the network's key passes
the request on to a host that does.
"""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

from oneos.errors import AuthError, NetworkError, OneOSError, UserError
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.limits import TOKEN_LIFE_S
from oneos.net import bootrecord, pki
from oneos.net.bootrecord import BootRecord
from oneos.net.identity import Identity, install, valid_host_name
from oneos.net.links import Links, call_address, fetch_ca
from oneos.net.routes import Peer, Routes
from oneos.net.tls import anonymous_context
from oneos.net.token import Token
from oneos.state import control_types as t

BOOT_RECORD = "boot-record"


class NameServer:
    """See the module.

    Args:
        identity: this host's identity.
        control: where members and tokens are agreed on.
        links: to hosts that hold the network's key.
    """

    def __init__(self, identity: Identity, control: ControlLog, links: Links) -> None:
        self._identity = identity
        self._control = control
        self._links = links

    def serve(self, routes: Routes) -> None:
        """Answer `join.ask`, to strangers too, and `join.sign` and `boot.record` to hosts."""
        routes.add("join.ask", self._on_ask, m.Join, public=True)
        routes.add("join.sign", self._on_sign, m.Join, finish=True)
        routes.add("boot.record", self._on_record, m.Nothing, public=True)

    async def make_token(self) -> Token:
        """A new token that lets one host in."""
        token = Token.create(pki.fingerprint(self._identity.ca_pem))
        expires_ns = now_ns() + TOKEN_LIFE_S * 10**9
        await self._control.submit(t.AddToken(token.secret_hash(), expires_ns, now_ns()))
        return token

    async def _on_ask(self, peer: Peer, request: m.Join) -> m.Joined:
        if self._identity.ca_key_path.exists():
            return await self._on_sign(peer, request)
        for voter in self._control.state.engine.voters:
            try:
                answer: m.Joined = await self._links.call(
                    voter.name, "join.sign", request, m.Joined
                )
                return answer
            except NetworkError as error:
                if isinstance(error, AuthError):
                    raise
        raise NetworkError("no host that may let others in answers", hint="see: oneos status")

    async def _on_sign(self, peer: Peer, request: m.Join) -> m.Joined:
        if not valid_host_name(request.host):
            raise UserError(f"{request.host!r} cannot name a host")
        try:
            secret = bytes.fromhex(request.secret)
        except ValueError:
            raise AuthError("the join token is damaged") from None
        # What cannot be signed must not use up the token.
        certificate = pki.sign_request(self._identity, request.request_pem, request.host)
        digest = hashlib.sha256(secret).hexdigest()
        try:
            await self._control.submit(
                t.Admit(HostName(request.host), digest, request.facts, now_ns())
            )
        except UserError as error:
            if error.errno == errno.EACCES:
                raise AuthError(
                    error.message, hint="print a new one at a host of the network: oneos token"
                ) from error
            if error.errno == errno.EEXIST:
                raise UserError(
                    error.message,
                    errno=error.errno,
                    hint=f"choose another: --name; or, if it is gone: oneos forget {request.host}",
                ) from error
            raise
        return m.Joined(certificate, self.record())

    async def _on_record(self, peer: Peer, request: m.Nothing) -> bytes:
        if self._identity.ca_key_path.exists():
            return self.record()
        for voter in self._control.state.engine.voters:
            try:
                answer: bytes = await self._links.call(
                    voter.name, "boot.record", m.Nothing(), bytes
                )
                return answer
            except OneOSError:
                continue
        raise NetworkError("no host that signs Boot Records answers")

    def record(self) -> bytes:
        """The Boot Record as of now, signed."""
        state = self._control.state
        alive = self._control.machine.alive()
        return bootrecord.sign(
            BootRecord(
                network=state.network,
                ca_fingerprint=pki.fingerprint(self._identity.ca_pem),
                serial=self._control.applied,
                generation=state.engine.generation,
                engine=[(v.address, v.client_port) for v in state.engine.voters],
                runtimes=[(x.name, x.facts.address, x.facts.port) for x in alive],
                manifest=state.manifest,
            ),
            self._identity,
        )


async def join(
    address: tuple[str, int], token: Token, host: str, facts: t.Facts, directory: Path
) -> Identity:
    """Enter the network at `address`: leaves an identity and a Boot Record in `directory`.

    Raises:
        AuthError: the network is not the token's, or does not take the token.
        NetworkError: nobody answers there.
        UserError: the name is taken or not valid.
    """
    ca_pem = await fetch_ca(address, token.fingerprint)
    key_pem, request_pem = pki.make_request(host)
    joined: m.Joined = await call_address(
        address,
        "join.ask",
        m.Join(host, token.secret.hex(), request_pem, facts),
        m.Joined,
        context=anonymous_context(ca_pem),
    )
    bootrecord.verify(joined.boot_record, ca_pem)
    identity = install(directory / "identity", ca_pem, joined.certificate_pem, key_pem)
    (directory / BOOT_RECORD).write_bytes(joined.boot_record)
    return identity


def stored_record(directory: Path, identity: Identity) -> BootRecord | None:
    """The Boot Record that was got when this host joined, if there is one."""
    try:
        raw = (directory / BOOT_RECORD).read_bytes()
    except FileNotFoundError:
        return None
    return bootrecord.verify(raw, identity.ca_pem)


async def ask_record(runtimes: list[tuple[str, str, int]], identity: Identity) -> BootRecord | None:
    """The newest Boot Record that the known Runtimes give; None when none answers."""
    found: list[BootRecord] = []
    for name, address, port in runtimes:
        if name == identity.host:
            continue
        try:
            raw: bytes = await call_address(
                (address, port),
                "boot.record",
                m.Nothing(),
                bytes,
                context=anonymous_context(identity.ca_pem),
            )
            found.append(bootrecord.verify(raw, identity.ca_pem))
        except OneOSError:
            continue
    return max(found, key=lambda record: (record.generation, record.serial), default=None)
