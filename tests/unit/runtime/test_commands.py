"""What a command's name means, and the statuses of what cannot be run, as in sh."""

import errno
import os

import pytest

from oneos.files.handles import Caller
from oneos.files.tree import Tree
from oneos.runtime.commands import Command, CommandError, resolve, resolve_file, which
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.files.conftest import identities, network  # noqa: F401
from tests.unit.files.support import Network
from tests.unit.kernel.conftest import world  # noqa: F401
from tests.unit.kernel.support import HUB

CALLER = Caller()
FILES = {
    b"/bin/cat": b"#!/usr/bin/env python3\n",
    b"/h/py": b"#!/usr/bin/python3.11 -u\nprint()",
    b"/h/js": b"#! /usr/local/bin/node\r\n",
    b"/h/shell": b"#!/bin/sh -e\n",
    b"/h/split": b"#!/usr/bin/env -S python3 -I\n",
    b"/h/perl": b"#!/usr/bin/perl\n",
    b"/h/empty": b"#!\n",
    b"/h/env": b"#!/usr/bin/env\n",
    b"/h/a.py": b"print()",
    b"/h/a.mjs": b"",
    b"/h/text": b"echo hi",
    b"/h/elf": b"\x7fELF\0\0",
    b"/h/plain": b"echo hi",
}

RUN: list[tuple[list[bytes], str, list[bytes]]] = [
    ([b"python3", b"x.py"], "python", [b"x.py"]),
    ([b"python"], "python", []),
    ([b"python3.11"], "python", []),
    ([b"nodejs", b"-e", b"1"], "node", [b"-e", b"1"]),
    ([b"sh", b"-c", b"x"], "sh", [b"-c", b"x"]),
    ([b"cat", b"f"], "python", [b"/bin/cat", b"f"]),
    ([b"./py", b"f"], "python", [b"-u", b"/h/py", b"f"]),
    ([b"/h/js"], "node", [b"/h/js"]),
    ([b"./shell", b"a"], "sh", [b"-e", b"/h/shell", b"a"]),
    ([b"./split"], "python", [b"-I", b"/h/split"]),
    ([b"/h/a.py", b"b"], "python", [b"/h/a.py", b"b"]),
    ([b"./a.mjs"], "node", [b"/h/a.mjs"]),
    ([b"./text"], "sh", [b"/h/text"]),
]

REFUSED = [
    (b"nothing", 127, errno.ENOENT),
    (b"", 127, errno.ENOENT),
    (b"./nothing", 127, errno.ENOENT),
    (b"./text/x", 127, errno.ENOTDIR),
    (b"dir", 126, errno.EISDIR),
    (b"./plain", 126, errno.EACCES),
    (b"./perl", 126, errno.ENOENT),
    (b"./empty", 126, errno.ENOENT),
    (b"./env", 126, errno.ENOENT),
    (b"./elf", 126, errno.ENOEXEC),
]


@pytest.fixture
async def tree(network: Network) -> Tree:  # noqa: F811
    (hub,) = await network.start(HUB)
    tree = Tree(hub.files, {})
    for path in (b"/h", b"/bin/dir"):
        await tree.mkdir(path, 0o755, CALLER)
    for path, content in FILES.items():
        mode = 0o644 if path == b"/h/plain" else 0o755
        handle = await tree.open(path, os.O_WRONLY | os.O_CREAT, mode, CALLER)
        os.write(handle.fd, content)
        await handle.close()
    return tree


async def test_command_is_run_by_its_name_its_first_line_or_its_suffix(tree: Tree) -> None:
    for argv, interpreter, arguments in RUN:
        assert await resolve(tree, argv, b"/h", CALLER) == Command(interpreter, arguments)


async def test_what_cannot_be_run_has_the_status_of_sh(tree: Tree) -> None:
    for name, status, code in REFUSED:
        with pytest.raises(CommandError) as raised:
            await resolve(tree, [name], b"/h", CALLER)
        assert (name, raised.value.status, raised.value.errno) == (name, status, code)


async def test_which_finds_what_would_be_run(tree: Tree) -> None:
    assert await which(tree, b"cat", b"/h", CALLER) == b"/bin/cat"
    assert await which(tree, b"python3", b"/h", CALLER) == b"/bin/python3"
    assert await which(tree, b"../h/./py", b"/h", CALLER) == b"/h/py"


async def test_files_that_programs_name_are_found_as_commands_are(tree: Tree) -> None:
    own = {b"/opt/host/bin/python9": "python"}
    for path, command in (
        (b"/opt/host/bin/python9", Command("python", [b"-c", b"x"])),
        (b"/usr/bin/python3", Command("python", [b"-c", b"x"])),
        (b"/bin/sh", Command("sh", [b"-c", b"x"])),
        (b"/usr/local/bin/node", Command("node", [b"-c", b"x"])),
        (b"/usr/bin/cat", Command("python", [b"/bin/cat", b"-c", b"x"])),
        (b"/h/../h/js", Command("node", [b"/h/js", b"-c", b"x"])),
    ):
        argv = [b"any name", b"-c", b"x"]
        assert await resolve_file(tree, path, argv, CALLER, own) == command
    for path, code in ((b"/usr/bin/gcc", errno.ENOENT), (b"/h/elf", errno.ENOEXEC)):
        with pytest.raises(CommandError) as raised:
            await resolve_file(tree, path, [b"x"], CALLER, own)
        assert raised.value.errno == code
