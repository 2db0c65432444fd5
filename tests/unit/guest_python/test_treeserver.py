"""The test server itself: it must answer as docs/guest-protocol.md says, or it proves nothing."""

import array
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.treeserver import Failure, TreeServer


class Guest:
    """A bare connection: what a guest sends and gets, with nothing in between."""

    def __init__(self, server: TreeServer, fds: bool) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(server.socket_path)
        self.fds: list[int] = []
        greeting = {"pid": server.pid, "token": server.token, "fds": fds}
        assert self.call("hello", greeting)[0] == 0

    def call(self, *request: Any) -> Any:
        body = msgspec.msgpack.encode(request)
        self.sock.sendall(struct.pack("<I", len(body)) + body)
        data, ancillary, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_SPACE(64))
        for _, _, raw in ancillary:
            self.fds.extend(array.array("i", raw))
        while len(data) < 4 + struct.unpack_from("<I", data)[0]:
            data += self.sock.recv(1 << 16)
        return msgspec.msgpack.decode(data[4:])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TreeServer]:
    with TreeServer(str(tmp_path), remote=["/far/*"]) as running:
        yield running


def test_descriptor_comes_with_the_reply(server: TreeServer, tmp_path: Path) -> None:
    guest = Guest(server, fds=True)
    status, result = guest.call("open", b"/a", os.O_RDWR | os.O_CREAT, 0o640)
    assert (status, result["k"]) == (0, "fd")
    (fd,) = guest.fds
    os.write(fd, b"hello")
    os.close(fd)
    assert guest.call("close", result["h"]) == [0, None]
    assert (tmp_path / "a").read_bytes() == b"hello"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert server.handles == {}
    guest.sock.close()


def test_descriptor_by_path_is_given_up_when_opened(server: TreeServer) -> None:
    guest = Guest(server, fds=False)
    _, result = guest.call("open", b"/a", os.O_RDWR | os.O_CREAT, 0o640)
    fd = os.open(result["path"], os.O_RDWR)
    assert guest.call("opened", result["h"]) == [0, None]
    assert server.handles[result["h"]].fd == -1
    assert guest.call("fstat", result["h"])[1][1] == os.fstat(fd).st_ino
    os.close(fd)
    guest.sock.close()


def test_remote_file_is_read_and_written_by_request(server: TreeServer) -> None:
    guest = Guest(server, fds=True)
    guest.call("mkdir", b"/far", 0o755)
    _, result = guest.call("open", b"/far/a", os.O_RDWR | os.O_CREAT, 0o644)
    assert result == {"k": "remote", "h": result["h"], "size": 0, "append": False}
    assert guest.call("pwrite", result["h"], 0, b"abcdef") == [0, [6, 6]]
    assert guest.call("pread", result["h"], 2, 100) == [0, b"cdef"]
    assert guest.call("ftruncate", result["h"], 1) == [0, None]
    assert guest.call("close", result["h"]) == [0, None]
    assert guest.call("close", result["h"])[0] == 9
    guest.sock.close()


def test_parent_of_the_root_is_the_root(server: TreeServer, tmp_path: Path) -> None:
    guest = Guest(server, fds=True)
    (tmp_path / "d").mkdir()
    assert guest.call("stat", b"/../../d/..", True) == guest.call("stat", b"/", True)
    assert guest.call("realpath", b"/d/../../d/.") == [0, b"/d"]
    assert guest.call("stat", b"/missing/..", True)[0] == 2
    guest.sock.close()


def test_failure_is_answered_when_told(server: TreeServer) -> None:
    server.fail[("stat", "/gone*")] = Failure(113, "host pi3 left", "wait for it")
    guest = Guest(server, fds=True)
    assert guest.call("stat", b"/gone/x", True) == [113, "host pi3 left", "wait for it"]
    assert server.wait_for("stat", timeout_s=0)
    guest.sock.close()
