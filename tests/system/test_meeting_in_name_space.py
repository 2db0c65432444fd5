"""FIFOs and unix sockets with a name in the tree, where a host has a name space: its native and its
instrumented programs, and the shell, meet at one and the same."""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.programs.python.conftest import PROGRAMS
from tests.support.namespaces import no_name_space
from tests.support.terminal import person
from tests.system.support import HOME, ONEOS, USER, Cluster, read_line, wait_until
from tests.system.test_terminals import ENTERED, PROMPT

pytestmark = [
    pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}"),
    pytest.mark.skipif(
        os.getuid() != 0, reason="only root's instrumented programs can walk the mount"
    ),
]

SOON_S = 60.0

SERVER = """\
import os, socket, stat, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", stat.S_ISSOCK(os.stat(sys.argv[1]).st_mode), listener.getsockname(), flush=True)
client, _ = listener.accept()
client.sendall(b"got " + client.recv(100))
client.close()
"""

CLIENT = """\
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b"hello")
print(client.recv(100).decode(), client.getpeername())
"""

NODE_SERVER = """\
const fs = require('fs'), net = require('net');
const [path] = process.argv.slice(2);
const server = net.createServer((client) => client.once('data', (data) => {
  client.end(`got ${data}`);
  server.close(() => console.log('gone', fs.existsSync(path)));
})).listen(path, () => {
  console.log('ready', fs.statSync(path).isSocket(), server.address());
});
"""

NODE_CLIENT = """\
const client = require('net').connect(process.argv[2]);
client.on('data', (data) => console.log(`${data}`)).on('error', (error) => console.log(error.code));
client.write('hello');
"""

WAYS = {"instrumented": "python3", "native": "/usr/bin/env python3"}


@pytest.fixture(scope="module")
def alone() -> Iterator[Cluster]:
    cluster = Cluster(2, {"host2": 'context = "instrumented"\n'})
    cluster[1].put(f"{HOME}/server.py", SERVER.encode())
    cluster[1].put(f"{HOME}/client.py", CLIENT.encode())
    yield cluster
    cluster.close()


def test_programs_of_one_host_meet_by_name(alone: Cluster) -> None:
    alone[1].put(f"{HOME}/meetings.py", (PROGRAMS / "meetings.py").read_bytes())
    alone[1].sh("mkdir instrumented native").ok()
    shown = alone[1].sh("cd instrumented; python3 ../meetings.py").ok()
    assert shown == alone[1].sh("cd native; /usr/bin/env python3 ../meetings.py").ok()


@pytest.mark.parametrize("client", WAYS)
@pytest.mark.parametrize("server", WAYS)
def test_each_kind_of_program_serves_the_other_at_a_socket(
    alone: Cluster, server: str, client: str
) -> None:
    name = f"{server}-{client}.socket"
    with alone[1].shell(f"{WAYS[server]} server.py {name}") as process:
        assert read_line(process.stdout) == f"ready True {name}\n".encode()
        shown = alone[1].sh(f"{WAYS[client]} client.py {HOME}/{name}").ok()
        assert shown.startswith("got hello ")
        assert process.wait(SOON_S) == 0
    # Nobody listens, and the name is there until somebody removes it.
    assert "refused" in alone[1].sh(f"{WAYS[client]} client.py {name}").err
    alone[1].sh(f"rm {name}").ok()
    assert "No such file" in alone[1].sh(f"{WAYS[client]} client.py {name}").err


@pytest.mark.skipif(not shutil.which("node"), reason="no Node here")
@pytest.mark.parametrize("host", [1, 2], ids=["name space", "none"])
def test_node_serves_and_reaches_programs_by_name(alone: Cluster, host: int) -> None:
    at = alone[host]
    at.put(f"{HOME}/server.js", NODE_SERVER.encode())
    at.put(f"{HOME}/client.js", NODE_CLIENT.encode())
    directory = f"{HOME}/{host}"
    at.sh(f"mkdir {directory}").ok()
    clients = ["node client.js", "python3 client.py"]
    clients += (
        ["/usr/bin/env node client.js", "/usr/bin/env python3 client.py"] if host == 1 else []
    )
    for client in clients:
        with at.shell(f"on host:host{host} node server.js {directory}/socket") as process:
            assert read_line(process.stdout) == f"ready true {directory}/socket\n".encode()
            shown = at.sh(f"on host:host{host} {client} {directory}/socket").ok()
            assert shown.startswith("got hello"), client
            assert read_line(process.stdout) == b"gone false\n"
    with at.shell(f"on host:host{host} python3 server.py {directory}/python") as process:
        read_line(process.stdout)
        shown = at.sh(f"on host:host{host} node client.js {directory}/python").ok()
        assert shown == "got hello\n"
    assert at.sh(f"on host:host{host} node client.js {directory}/python").ok() == "ECONNREFUSED\n"


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        ("/usr/bin/cat", 'python3 -c \'import sys; open(sys.argv[1], "w").write("x\\n")\''),
        ("python3 -c 'import sys; print(open(sys.argv[1]).read(), end=\"\")'", "/usr/bin/tee"),
        ("cat", "tee"),
    ],
)
def test_each_kind_of_program_reads_what_the_other_writes_to_a_fifo(
    alone: Cluster, reader: str, writer: str
) -> None:
    alone[1].sh("rm -f fifo; /usr/bin/mkfifo fifo").ok()
    with alone[1].shell(f"{reader} fifo") as process:
        assert alone[1].sh(f"echo x | {writer} fifo").status == 0
        assert read_line(process.stdout) == b"x\n"
        assert process.wait(SOON_S) == 0


def test_redirections_of_the_shell_wait_at_a_fifo_and_hold_up_nothing_else(alone: Cluster) -> None:
    script = """
        rm -f fifo; /usr/bin/mkfifo fifo
        cat < fifo & echo goes on
        echo by the shell > fifo; wait
        /usr/bin/cat < fifo & /usr/bin/echo by a program > fifo; wait
        tr a-z A-Z < fifo & cat server.py | head -n 1 > fifo; wait
    """
    assert alone[1].sh(script).ok().splitlines() == [
        "goes on",
        "by the shell",
        "by a program",
        "IMPORT OS, SOCKET, STAT, SYS",
    ]


def test_program_that_waits_at_a_fifo_for_nobody_ends_by_a_signal(alone: Cluster) -> None:
    alone[1].sh("rm -f fifo; /usr/bin/mkfifo fifo").ok()
    with alone[1].shell("echo begun; cat < fifo") as process:
        assert read_line(process.stdout) == b"begun\n"
        (waits,) = wait_until(lambda: alone[1].running("cat"), SOON_S, "the table shows it")
        alone[1].sh(f"kill {waits['pid']}").ok()
        assert process.wait(SOON_S) == 128 + 15


@pytest.mark.parametrize("line", ["cat < fifo", "cat < fifo | cat", "cat fifo", "exec 3< fifo"])
def test_ctrl_c_ends_a_wait_at_a_fifo(alone: Cluster, line: str) -> None:
    alone[1].sh("rm -f fifo; /usr/bin/mkfifo fifo").ok()
    with person([*ONEOS, "sh", "--user", USER], {**os.environ, **alone[1].env}) as somebody:
        somebody.see(PROMPT)
        somebody.type(line + "\r")
        somebody.see(ENTERED)
        somebody.press("\x03", PROMPT)
        somebody.type("echo status-$?\r")
        somebody.see("status-130\r\n")
