"""Identities, certificates, tokens and boot records: what is accepted, and what is refused how."""

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from oneos.errors import AuthError, UserError
from oneos.net.bootrecord import BootRecord, sign, verify
from oneos.net.identity import Identity, install, valid_host_name, write_private
from oneos.net.pki import create_network, fingerprint, make_request, sign_request
from oneos.net.token import Token, read_token_file

from .conftest import Identities


@pytest.mark.parametrize("name", ["a", "Pi-3", "0", "a" * 63, "xn--abc", "10"])
def test_names_that_may_name_a_host(name: str) -> None:
    assert valid_host_name(name)


@pytest.mark.parametrize(
    "name", ["", "a" * 64, "-a", "a-", "a.b", "a_b", "a b", "ä", "a\n", "a/b", "²", "*"]
)
def test_names_that_may_not(name: str) -> None:
    assert not valid_host_name(name)


def test_files_of_an_identity_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        create_network(tmp_path / "id", "home", "hub")
    finally:
        os.umask(old)
    files = {f.name: f.stat().st_mode & 0o777 for f in (tmp_path / "id").iterdir()}
    assert files == dict.fromkeys(("ca.pem", "ca.key", "host.pem", "host.key"), 0o600)
    assert (tmp_path / "id").stat().st_mode & 0o777 == 0o700


def test_an_identity_loads_as_it_was_made(tmp_path: Path) -> None:
    made = create_network(tmp_path, "home", "hub")
    assert Identity.load(tmp_path) == made
    assert (made.network, made.host, made.has_ca_key) == ("home", "hub", True)


def test_a_second_network_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    create_network(tmp_path, "home", "hub")
    before = (tmp_path / "ca.key").read_bytes()
    with pytest.raises(UserError, match="already holds"):
        create_network(tmp_path, "other", "hub")
    assert (tmp_path / "ca.key").read_bytes() == before


def test_a_missing_identity_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no identity") as caught:
        Identity.load(tmp_path)
    assert "oneos join" in caught.value.hint


@pytest.mark.parametrize("name", ["ca.pem", "host.pem", "host.key"])
def test_a_damaged_file_is_told(tmp_path: Path, name: str) -> None:
    create_network(tmp_path, "home", "hub")
    (tmp_path / name).write_bytes(b"-----BEGIN nothing")
    with pytest.raises(AuthError, match="damaged"):
        Identity.load(tmp_path)


def test_parts_of_two_networks_do_not_load(tmp_path: Path) -> None:
    create_network(tmp_path / "a", "home", "hub")
    create_network(tmp_path / "b", "home", "hub")
    (tmp_path / "a/ca.pem").write_bytes((tmp_path / "b/ca.pem").read_bytes())
    with pytest.raises(AuthError, match="not of the network"):
        Identity.load(tmp_path / "a")


def test_a_foreign_key_does_not_load(tmp_path: Path) -> None:
    create_network(tmp_path, "home", "hub")
    (tmp_path / "host.key").write_bytes(make_request("hub")[0])
    with pytest.raises(AuthError, match="does not belong"):
        Identity.load(tmp_path)


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "host.key"
    write_private(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_certificate_serves_both_ends_and_names_one_host(identities: Identities) -> None:
    certificate = x509.load_pem_x509_certificate(identities.pi1.certificate_path.read_bytes())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pi1"]
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca


def test_a_request_for_another_host_is_not_signed(identities: Identities) -> None:
    _, request = make_request("pi9")
    with pytest.raises(AuthError, match="is for 'pi9'"):
        sign_request(identities.hub, request, "pi1")


def test_a_damaged_request_is_not_signed(identities: Identities) -> None:
    _, request = make_request("pi9")
    with pytest.raises(AuthError, match="damaged"):
        sign_request(identities.hub, request[:-60], "pi9")


def test_a_request_altered_after_signing_is_not_signed(identities: Identities) -> None:
    _, request = make_request("pi9")
    der = x509.load_pem_x509_csr(request).public_bytes(serialization.Encoding.DER)
    altered = x509.load_der_x509_csr(der.replace(b"pi9", b"pi8"))
    with pytest.raises(AuthError, match="not signed by its own key"):
        sign_request(identities.hub, altered.public_bytes(serialization.Encoding.PEM), "pi8")


def test_only_a_holder_of_the_network_key_signs(identities: Identities) -> None:
    _, request = make_request("pi9")
    with pytest.raises(UserError, match="does not hold the key"):
        sign_request(identities.pi1, request, "pi9")


def test_a_certificate_of_another_network_is_not_installed(
    identities: Identities, tmp_path: Path
) -> None:
    key, request = make_request("pi9")
    certificate = sign_request(identities.foreign_pi1, request, "pi9")
    with pytest.raises(AuthError, match="not of the network"):
        install(tmp_path / "id", identities.hub.ca_pem, certificate, key)
    assert not (tmp_path / "id").exists()


def test_a_token_survives_its_text_form(identities: Identities) -> None:
    token = Token.create(fingerprint(identities.hub.ca_pem))
    assert Token.parse(f"  {str(token).upper()}\n") == token
    assert str(token).isprintable() and len(str(token).split()) == 1
    assert token.secret.hex() not in repr(token)
    assert len(token.secret_hash()) == 64


@given(secret=st.binary(min_size=16, max_size=16), cut=st.integers(1, 83), at=st.integers(0, 83))
def test_a_cut_token_is_told_from_a_wrong_one(secret: bytes, cut: int, at: int) -> None:
    text = str(Token("ab" * 32, secret))
    with pytest.raises(UserError, match="not pasted whole"):
        Token.parse(text[:-cut])
    position = len("oneos1.") + at
    wrong = "a" if text[position] != "a" else "b"
    with pytest.raises(UserError, match="wrong character"):
        Token.parse(text[:position] + wrong + text[position + 1 :])


@given(st.text())
def test_any_text_is_a_token_or_a_user_error(text: str) -> None:
    with pytest.raises(UserError):
        Token.parse(text)


def test_a_token_is_read_from_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = Token.create("cd" * 32)
    (tmp_path / "t").write_text(f"{token}\n")
    assert read_token_file(str(tmp_path / "t")) == token
    stdin = SimpleNamespace(buffer=io.BytesIO(f"{token}\n".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert read_token_file("-") == token
    with pytest.raises(UserError, match="cannot read the token file"):
        read_token_file(str(tmp_path / "missing"))
    (tmp_path / "empty").touch()
    with pytest.raises(UserError, match="empty"):
        read_token_file(str(tmp_path / "empty"))


def record_of(identity: Identity) -> BootRecord:
    return BootRecord(
        network=identity.network,
        ca_fingerprint=fingerprint(identity.ca_pem),
        serial=3,
        generation=1,
        engine=[("127.0.0.1", 4222)],
        runtimes=[("hub", "127.0.0.1", 4100)],
        manifest="/etc/manifest.toml",
    )


def test_a_boot_record_is_read_as_it_was_signed(identities: Identities) -> None:
    record = record_of(identities.hub)
    assert verify(sign(record, identities.hub), identities.hub.ca_pem) == record


def test_a_boot_record_of_another_network_is_refused(identities: Identities) -> None:
    raw = sign(record_of(identities.foreign_pi1), identities.foreign_pi1)
    with pytest.raises(AuthError, match="not signed"):
        verify(raw, identities.hub.ca_pem)
    # Signed by the right key, but speaking of another CA.
    with pytest.raises(AuthError, match="another network"):
        verify(sign(record_of(identities.foreign_pi1), identities.hub), identities.hub.ca_pem)


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_boot_record_altered_anywhere_is_refused(
    identities: Identities, position: int, flip: int
) -> None:
    raw = bytearray(sign(record_of(identities.hub), identities.hub))
    raw[position % len(raw)] ^= flip
    with pytest.raises(AuthError):
        verify(bytes(raw), identities.hub.ca_pem)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_boot_record_or_an_auth_error(identities: Identities, raw: bytes) -> None:
    with pytest.raises(AuthError):
        verify(raw, identities.hub.ca_pem)
