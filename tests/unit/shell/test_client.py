"""The client of the local protocol: answers, errors, descriptors, a connection that breaks off."""

import os
import signal
import threading

import pytest

from oneos.errors import FileError, NetworkError, UserError
from oneos.local.address import default_socket
from oneos.local.client import Client, OpenDirectory, OpenFd, OpenRemote
from tests.support.localspawner import LocalSpawner
from tests.unit.shell.conftest import home_of


def test_missing_runtime_is_said_with_what_to_do() -> None:
    with pytest.raises(UserError) as caught:
        Client("/nonexistent/sock").call("status")
    assert caught.value.lines() == (
        "oneos: no Runtime answers at /nonexistent/sock\n       start one: oneos up"
    )


def test_refusal_keeps_the_errno_of_the_runtime(client: Client) -> None:
    with pytest.raises(FileError) as caught:
        client.call("stat", b"/nosuch", True)
    assert caught.value.errno == 2
    # And the connection goes on.
    assert client.call("realpath", b"/home/alice") == b"/home/alice"


def test_opened_file_is_a_descriptor_of_this_process(client: Client, runtime: LocalSpawner) -> None:
    opened = client.open(b"/home/alice/f", os.O_WRONLY | os.O_CREAT, 0o600)
    assert isinstance(opened, OpenFd) and opened.handle is not None
    assert not os.get_inheritable(opened.fd)
    os.write(opened.fd, b"data")
    os.close(opened.fd)
    client.close(opened.handle)
    assert (home_of(runtime) / "f").read_bytes() == b"data"
    assert opened.handle in runtime.closed_handles


def test_other_kinds_of_opened_files(client: Client, runtime: LocalSpawner) -> None:
    (home_of(runtime) / "remote").write_text("abc")
    remote = client.open(b"/home/alice/remote", os.O_RDONLY)
    assert isinstance(remote, OpenRemote) and remote.size == 3
    client.close(remote.handle)
    assert client.open(b"/home", os.O_RDONLY) == OpenDirectory(b"/home")
    null = client.open(b"/dev/null", os.O_RDONLY)
    assert isinstance(null, OpenFd) and null.handle is None
    assert os.read(null.fd, 1) == b""
    os.close(null.fd)


def test_what_nobody_waits_for_does_not_shift_the_replies(client: Client) -> None:
    for number in range(300):
        client.post("realpath", b"/home")
        client.post("stat", b"/nosuch", True)
        if number % 7 == 0:
            assert client.call("realpath", b"/home/alice") == b"/home/alice"


def test_interrupted_call_does_not_shift_the_replies(client: Client) -> None:
    spec = {"argv": [b"sleep", b"60"], "env": {}, "cwd": b"/", "on": []}
    spec["io"] = {0: ["null"], 1: ["null"], 2: ["null"]}
    [entry] = client.call("spawn", {"sid": 1, "stages": [spec]})
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        client.call("wait", [entry["pid"]])
    assert client.call("realpath", b"/home/alice") == b"/home/alice"
    client.call("kill", entry["pid"], 9)
    assert client.call("wait", [entry["pid"]]) == [137]


def test_runtime_that_ends_is_a_network_error(tmp_path: object) -> None:
    directory = str(tmp_path)
    runtime = LocalSpawner(directory, f"{directory}/sock")
    client = Client(runtime.socket_path)
    assert client.call("status")["network"] == "oneos"
    assert client.greeting == {"host": "here", "network": "oneos"}
    runtime.close()
    with pytest.raises(NetworkError):
        client.call("status")
    client.drop()


def test_socket_is_found_by_one_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ONEOS_SOCKET", raising=False)
    monkeypatch.delenv("ONEOS_DIR", raising=False)
    own = f"{tmp_path}/.oneos/run/local.sock"
    assert default_socket() in (own, "/var/lib/oneos/run/local.sock")
    monkeypatch.setenv("ONEOS_DIR", "/srv/o")
    assert default_socket() == "/srv/o/run/local.sock"
    monkeypatch.setenv("ONEOS_SOCKET", "/run/x")
    assert default_socket() == "/run/x"
