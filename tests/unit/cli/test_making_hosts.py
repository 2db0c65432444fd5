"""What `up`, `join` and `cluster` refuse before anything is made; nothing is left of it."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oneos.cli.configure import copied_config
from oneos.config import load_config, parse_config
from oneos.net.token import Token
from tests.support.ports import free_ports
from tests.unit.cli.conftest import Outcome

Oneos = Callable[..., Outcome]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens at; those next to it are free."""
    with socket.socket() as listener:
        port = free_ports(30)[15]
        listener.bind(("127.0.0.1", port))
        listener.listen()
        yield port


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(str(Token.create("ab" * 32)))
    return path


@pytest.mark.parametrize("away", [0, 1, 4])
def test_a_port_in_use_is_refused_before_anything_is_made(
    oneos: Oneos, tmp_path: Path, taken: int, away: int
) -> None:
    directory = tmp_path / "host"
    port = str(taken - away)
    outcome = oneos("up", "--dir", str(directory), "--listen", "127.0.0.1", "--port", port)
    assert outcome.status == 1
    assert outcome.err.startswith(f"oneos: port {taken} of 127.0.0.1 is in use\n       choose")
    assert not directory.exists()


def test_a_host_that_cannot_listen_does_not_use_up_its_token(
    oneos: Oneos, tmp_path: Path, taken: int, token_file: Path
) -> None:
    # Nobody answers at port 1: that this is not what is complained of shows the order.
    words = ["join", "127.0.0.1:1", "--token-file", str(token_file), "--dir", str(tmp_path / "h")]
    outcome = oneos(*words, "--edge", "--listen", "127.0.0.1", "--port", str(taken))
    assert outcome.err.startswith(f"oneos: port {taken} of 127.0.0.1 is in use\n")


def test_a_join_that_fails_leaves_the_directory_as_it_was(
    oneos: Oneos, tmp_path: Path, token_file: Path
) -> None:
    directory = tmp_path / "host"
    words = ["join", "127.0.0.1:1", "--token-file", str(token_file), "--dir", str(directory)]
    outcome = oneos(*words, "--port", str(free_ports(5)[0]), "--listen", "127.0.0.1")
    assert outcome.status == 1
    assert outcome.err.startswith("oneos: the host does not answer at 127.0.0.1:1 (Connection ref")
    assert not directory.exists()
    directory.mkdir()
    (directory / "notes").write_text("mine")
    oneos(*words, "--port", str(free_ports(5)[0]), "--listen", "127.0.0.1")
    assert [entry.name for entry in directory.iterdir()] == ["notes"]


def test_a_token_file_that_is_missing_is_named_with_what_to_do(
    oneos: Oneos, tmp_path: Path
) -> None:
    outcome = oneos("join", "127.0.0.1:1", "--token-file", str(tmp_path / "no"))
    what, hint = outcome.err.splitlines()
    assert what == f"oneos: cannot read the token file {tmp_path}/no: No such file or directory"
    assert "--token-file -" in hint


def test_a_broken_configuration_is_named_with_its_line(oneos: Oneos, tmp_path: Path) -> None:
    file = tmp_path / "pi.toml"
    file.write_text('name = "pi"\nprot = 1\n')
    outcome = oneos("up", "--dir", str(tmp_path / "host"), "--config", str(file))
    assert outcome.status == 1
    assert outcome.err.startswith(
        f"oneos: {file}: prot: unknown key, did you mean port? (line 2)\n"
    )
    assert not (tmp_path / "host").exists()


def test_settings_and_a_file_do_not_go_together(oneos: Oneos, tmp_path: Path) -> None:
    file = tmp_path / "pi.toml"
    file.write_text("port = 25990\n")
    words = ["up", "--dir", str(tmp_path / "host"), "--config", str(file)]
    assert "--config and --tag do not go together" in oneos(*words, "--tag", "x").err


def test_a_copied_configuration_means_the_same_paths(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    source = there / "pi.toml"
    source.write_text('[[device]]\nname = "s"\nkind = "file"\npath = "s.csv"\n')
    copy = tmp_path / "oneos.toml"
    copy.write_text(copied_config(source.read_text(), source))
    assert load_config(copy).devices == load_config(source).devices
    assert parse_config(copied_config(copy.read_text(), copy), "x", tmp_path) == load_config(copy)


def test_a_cluster_is_not_half_made_of_a_broken_file(oneos: Oneos, tmp_path: Path) -> None:
    file = tmp_path / "extra.toml"
    words = ["cluster", "2", "--dir", str(tmp_path / "c"), "--with", f"host2={file}"]
    file.write_text('tags = ["a"\n')
    assert oneos(*words).err.startswith(f"oneos: {file}: line ")
    file.write_text("port = 5\n")
    assert oneos(*words).err.startswith(f"oneos: {file}: port: a cluster's host has its own\n")
    assert not (tmp_path / "c").exists()


def test_a_cluster_may_be_tried_again_with_other_ports(
    oneos: Oneos, tmp_path: Path, taken: int
) -> None:
    outcome = oneos("cluster", "2", "--dir", str(tmp_path / "c"), "--port", str(taken - 10))
    assert outcome.err.startswith(f"oneos: port {taken} of 127.0.0.1 is in use\n")
    assert not (tmp_path / "c").exists()


def test_a_cluster_that_is_not_there_is_named(oneos: Oneos, tmp_path: Path) -> None:
    for action in ("stop", "status", "rm"):
        outcome = oneos("cluster", action, "--dir", str(tmp_path))
        assert outcome.status == 1
        assert outcome.err.startswith(f"oneos: there is no cluster in {tmp_path}\n")


def test_a_clusters_hosts_are_listed_as_json(oneos: Oneos, tmp_path: Path) -> None:
    (tmp_path / "host1").mkdir()
    (tmp_path / "host1" / "oneos.toml").write_text("port = 25990\n")
    outcome = oneos("cluster", "status", "--dir", str(tmp_path), "--json")
    assert json.loads(outcome.out) == [
        {
            "name": "host1",
            "state": "down",
            "address": "127.0.0.1:25990",
            "directory": str(tmp_path / "host1"),
        }
    ]


def test_what_does_not_run_cannot_be_stopped(oneos: Oneos, tmp_path: Path) -> None:
    outcome = oneos("down", "--dir", str(tmp_path))
    assert outcome.status == 1
    assert outcome.err.startswith(f"oneos: no Runtime runs from {tmp_path}\n")
