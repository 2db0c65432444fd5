"""What a command's name means, and the statuses of what cannot be run, as in sh."""

import errno
import os

import pytest

from oneos.files.handles import Caller
from oneos.files.tree import Tree
from oneos.runtime.commands import (
    Command,
    CommandError,
    machine_of,
    resolve,
    resolve_file,
    which,
)
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
    ([b"./elf", b"a"], "native", [b"/h/elf", b"a"]),
    # What the kernel makes of their first lines is the kernel's business.
    ([b"./perl", b"a"], "native", [b"/h/perl", b"a"]),
    ([b"./empty"], "native", [b"/h/empty"]),
    ([b"git", b"log"], "native", [b"git", b"log"]),
    ([b"/usr/bin/git", b"log"], "native", [b"/usr/bin/git", b"log"]),
]

REFUSED = [
    (b"nothing", 127, errno.ENOENT),
    (b"", 127, errno.ENOENT),
    (b"./nothing", 127, errno.ENOENT),
    (b"./text/x", 127, errno.ENOTDIR),
    (b"dir", 126, errno.EISDIR),
    (b"./plain", 126, errno.EACCES),
]


def has_git(name: bytes) -> bool:
    """The host's own programs, to these tests."""
    return name in (b"git", b"/usr/bin/git")


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
        found = await resolve(tree, argv, b"/h", CALLER, has_git)
        assert found == Command(interpreter, arguments)


async def test_a_line_for_the_shell_may_name_an_interpreter_by_its_path(tree: Tree) -> None:
    own = {b"/opt/host/bin/python9": "python"}
    for name, interpreter in ((b"/opt/host/bin/python9", "python"), (b"/bin/sh", "sh")):
        found = await resolve(tree, [name, b"x"], b"/h", CALLER, interpreters=own)
        assert found == Command(interpreter, [b"x"])
    # Where hosts run programs of their own, it is one.
    name = b"/usr/bin/git"
    found = await resolve(tree, [name], b"/h", CALLER, has_git, {name: "python"})
    assert found == Command("native", [name])


async def test_what_cannot_be_run_has_the_status_of_sh(tree: Tree) -> None:
    for name, status, code in REFUSED:
        with pytest.raises(CommandError) as raised:
            await resolve(tree, [name], b"/h", CALLER, has_git)
        assert (name, raised.value.status, raised.value.errno) == (name, status, code)


def test_machine_of_a_program_is_read_from_its_header() -> None:
    head = b"\x7fELF\2\1\1" + bytes(11)
    assert machine_of(head + b"\xb7\0") == "aarch64"
    assert machine_of(b"\x7fELF\2\2\1" + bytes(11) + b"\0\xf3") == "riscv64"
    assert machine_of(head + b"\xff\xff") == machine_of(head) == machine_of(b"text") == ""


async def test_which_finds_what_would_be_run(tree: Tree) -> None:
    assert await which(tree, b"cat", b"/h", CALLER) == b"/bin/cat"
    assert await which(tree, b"python3", b"/h", CALLER) == b"/bin/python3"
    assert await which(tree, b"../h/./py", b"/h", CALLER) == b"/h/py"
    assert await which(tree, b"git", b"/h", CALLER, has_git) == b"/bin/git"


async def test_host_that_runs_no_programs_of_its_own_has_none_to_find(tree: Tree) -> None:
    for name in (b"git", b"/usr/bin/git"):
        with pytest.raises(CommandError) as raised:
            await resolve(tree, [name], b"/h", CALLER)
        assert (raised.value.status, raised.value.errno) == (127, errno.ENOENT)


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
    with pytest.raises(CommandError) as raised:
        await resolve_file(tree, b"/usr/bin/gcc", [b"x"], CALLER, own)
    assert raised.value.errno == errno.ENOENT
    native = Command("native", [b"/usr/bin/git", b"log"])
    assert await resolve_file(tree, b"/usr/bin/git", [b"x", b"log"], CALLER, own, has_git) == native
