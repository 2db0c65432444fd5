"""Native programs in the name space: the tree is their root, and nothing of it is only theirs.

They need /dev/fuse, which a host may not have: then all of this is skipped.
"""

import os
import shutil
import signal

import psutil
import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, USER, Cluster, Host, one_line_error, read_line, wait_until

pytestmark = pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}")

SOON_S = 60.0


def pids(host: Host) -> set[int]:
    """The numbers that `ps` shows, of what runs."""
    return {p["pid"] for p in host.processes() if p["state"] == "running"}


def file_process(host: Host) -> psutil.Process | None:
    """The OS process that serves a host's name space."""
    runtime = host.runtime()
    assert runtime is not None
    for child in runtime.children():
        if "oneos.fuse.main" in child.cmdline():
            return child
    return None


def test_programs_of_the_host_run_on_the_tree(shared: Cluster) -> None:
    script = """
        mkdir n1; cd n1
        /usr/bin/printf 'b\\na\\n' > unsorted
        /usr/bin/sort unsorted > sorted; cat sorted
        /usr/bin/mv sorted moved; /usr/bin/rm unsorted; ls
        /usr/bin/stat -c '%s %F' moved
        cd ..; /usr/bin/rm -r n1; ls n1
    """
    outcome = shared[1].sh(script)
    assert outcome.text == "a\nb\nmoved\n4 regular file\n"
    assert "n1" in one_line_error(outcome)


def test_what_one_host_writes_natively_another_reads_natively_and_otherwise(
    shared: Cluster,
) -> None:
    data = os.urandom(3_000_000)
    assert shared[1].sh("/usr/bin/tee n2 > /dev/null", stdin=data).ok() == ""
    assert shared[2].sh("/usr/bin/cat n2").out == data
    assert shared[3].sh("cat n2").out == data
    shared[3].sh("on host:host2 /usr/bin/dd if=/dev/zero of=n2 bs=1 count=3 conv=notrunc 2>&1")
    assert shared[1].sh("/usr/bin/cat n2").out == bytes(3) + data[3:]


def test_appends_of_native_and_other_programs_on_two_hosts_all_arrive(shared: Cluster) -> None:
    # Held open on one host, so that the others append through it.
    shared[1].sh(": > n3").ok()
    loop = 'i=0; while [ $i -lt 50 ]; do echo "$0 $i" >> n3; i=$((i+1)); done'
    line = f"on host:host1 /usr/bin/sh -c '{loop}' one & on host:host2 /usr/bin/sh -c '{loop}' two"
    assert shared[1].sh(f"{line}; wait").status == 0
    lines = shared[3].sh("cat n3").text.splitlines()
    assert sorted(lines) == sorted(f"{who} {n}" for who in ("one", "two") for n in range(50))


def test_script_of_any_interpreter_of_the_host_runs_by_its_first_line(shared: Cluster) -> None:
    script = "#!/usr/bin/awk -f\\nBEGIN { print ARGV[1] }\\n"
    line = f"printf '{script}' > s.awk; chmod +x s.awk; ./s.awk word"
    assert shared[1].sh(line).ok() == "word\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_keeps_a_repository_in_the_tree(shared: Cluster) -> None:
    script = """
        mkdir repo; cd repo
        git init -q -b main .
        echo one > a; git add a
        git -c user.name=n -c user.email=e@x commit -q -m first
        echo two >> a
        git -c user.name=n -c user.email=e@x commit -q -a -m second
        git fsck --strict
    """
    shared[1].sh(script)
    assert shared[2].sh("cd repo; git log --format=%s; git show HEAD:a; git status -s").ok() == (
        "second\nfirst\none\ntwo\n"
    )


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_compiled_program_runs_from_the_tree_also_on_another_host(shared: Cluster) -> None:
    shared[1].put(f"{HOME}/m.c", b'#include <stdio.h>\nint main(void){puts("hi");return 42;}\n')
    outcome = shared[1].sh("gcc m.c -o m && ./m; echo $?; on host:host2 ./m; echo $?")
    assert outcome.ok() == "hi\n42\nhi\n42\n"


def test_native_reader_of_a_sensor_gets_every_reading_and_ctrl_c_ends_one(
    shared: Cluster,
) -> None:
    assert shared[1].sh("/usr/bin/cat /dev/sensor/1 | cksum").ok() == (
        shared[1].sh("cat /dev/sensor/1 | /usr/bin/cksum").ok()
    )
    with shared[1].shell("/usr/bin/cat /dev/sensor/slow") as process:
        assert read_line(process.stdout)
        wait_until(lambda: shared[1].running("/usr/bin/cat"), SOON_S, "it shows in the table")
        (found,) = shared[1].running("/usr/bin/cat")
        shared[1].sh(f"kill -INT {found['pid']}").ok()
        assert process.wait(SOON_S) == 128 + signal.SIGINT


def test_table_says_how_each_program_sees_the_tree(shared: Cluster) -> None:
    with shared[1].shell("/usr/bin/sleep 660 & sleep 660"):
        wait_until(lambda: len(shared[1].running("sleep")) == 1, SOON_S, "one sleeps")
        wait_until(lambda: len(shared[1].running("/usr/bin/sleep")) == 1, SOON_S, "both sleep")
        (native,) = shared[1].running("/usr/bin/sleep")
        (other,) = shared[1].running("sleep")
        assert shared[2].get(f"/proc/{native['pid']}/context") == b"namespace\n"
        assert shared[2].get(f"/proc/{other['pid']}/context") == b"instrumented\n"


def test_what_a_native_program_starts_shows_with_its_parent_and_ends_from_any_host(
    shared: Cluster,
) -> None:
    line = "sleep 661 & echo $$ $!; wait $!; echo $?"
    with shared[1].shell(f"on host:host2 /usr/bin/sh -c '{line}'") as process:
        parent, child = map(int, read_line(process.stdout).split())
        found = wait_until(
            lambda: [
                p for p in shared[3].running("") if p["pid"] == child and "sl" in p["command"]
            ],
            SOON_S,
            "ps of a third host shows it",
        )[0]
        assert (found["ppid"], found["host"], found["user"]) == (parent, "host2", USER)
        assert f"{parent}" in shared[3].sh(f"ps -o ppid,command -p {child}").ok()
        shared[3].sh(f"kill {child}").ok()
        assert read_line(process.stdout) == b"143\n"
    assert one_line_error(shared[3].sh(f"kill {child}"))


def test_children_outlive_their_parent_but_not_the_group_that_is_killed(shared: Cluster) -> None:
    line = "sleep 662 > /dev/null 2>&1 & echo $!"
    orphan = int(shared[1].sh(f"on host:host2 /usr/bin/sh -c '{line}'").ok())
    (found,) = (p for p in shared[3].processes() if p["pid"] == orphan)
    assert (found["ppid"], found["state"]) == (1, "running")
    shared[3].sh(f"kill -KILL {orphan}").ok()
    wait_until(lambda: orphan not in pids(shared[3]), SOON_S, "the orphan is reaped")

    with shared[1].shell(f"on host:host2 /usr/bin/sh -c 'echo $$; {line}; wait'") as process:
        parent, child = (int(read_line(process.stdout)) for _ in range(2))
        shared[3].ask("kill", -parent, signal.SIGTERM)
        assert process.wait(SOON_S) == 128 + signal.SIGTERM
    wait_until(lambda: child not in pids(shared[3]), SOON_S, "its child ended with it")


def test_a_thousand_forks_leave_nothing_and_the_next_program_starts(shared: Cluster) -> None:
    text = (
        "import os\nfor n in range(1000):\n if not os.fork(): os._exit(0)\n if n % 2: os.wait()\n"
    )
    shared[1].put(f"{HOME}/forks.py", text.encode())
    shared[1].sh("on host:host2 /usr/bin/env python3 forks.py").ok()
    assert shared[1].sh("on host:host2 /usr/bin/echo next").ok() == "next\n"
    wait_until(
        lambda: not [p for p in shared[1].processes() if p["host"] == "host2" and p["ppid"] == 1],
        SOON_S,
        "none is left",
    )


def test_stopped_and_killed_child_of_an_instrumented_program_is_so_for_both(
    shared: Cluster,
) -> None:
    text = """\
import os, signal, subprocess
child = subprocess.Popen(["/usr/bin/dash", "-c", "echo $$; kill -STOP $$; exec /usr/bin/sleep 660"])
print(child.pid, flush=True)
print(os.WSTOPSIG(os.waitpid(child.pid, os.WUNTRACED)[1]), flush=True)
os.kill(child.pid, signal.SIGCONT)
child.kill()
print(child.wait())
"""
    shared[1].put(f"{HOME}/stops.py", text.encode())
    lines = shared[1].sh("on host:host2 python3 stops.py").ok().split()
    assert lines[0] == lines[1] and lines[2:] == [str(int(signal.SIGSTOP)), "-9"]


def test_host_is_seen_read_only_and_only_where_it_must(shared: Cluster) -> None:
    assert "Read-only" in one_line_error(shared[1].sh("/usr/bin/touch /usr/x"))
    assert shared[1].sh("/usr/bin/cat /etc/shadow").status == 1
    assert shared[1].sh("/usr/bin/ls /root/.ssh /var/lib").status == 2
    assert shared[2].sh("/usr/bin/uname -n").ok() == "host2\n"


def test_statuses_of_what_cannot_run_are_those_of_sh(shared: Cluster) -> None:
    assert shared[1].sh("nothing-of-that-name").status == 127
    assert shared[1].sh("on host:host2 nothing-of-that-name").status == 127
    # A program for another kind of machine than any host here is.
    shared[1].put(f"{HOME}/strange", b"\x7fELF\2\1\1" + bytes(11) + (243).to_bytes(2, "little"))
    outcome = shared[1].sh("chmod +x strange; ./strange")
    assert outcome.status == 126 and "riscv64" in one_line_error(outcome)
    assert shared[1].sh("/usr/bin/sh -c 'exit 7'").status == 7
    assert shared[1].sh("/usr/bin/sh -c 'kill -9 $$'").status == 137


def test_killed_runtime_leaves_no_file_process_and_no_mount(three: Cluster) -> None:
    host = three[3]
    assert host.sh("/usr/bin/echo x").ok() == "x\n"
    served = file_process(host)
    assert served is not None
    host.kill()
    psutil.wait_procs([served], timeout=SOON_S)
    assert not served.is_running()
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        assert str(host.directory) not in mounts.read()
    host.start()
    wait_until(lambda: host.sh("/usr/bin/echo y").text == "y\n", 60, "native programs run again")


def test_link_that_is_replaced_on_another_host_says_the_new_thing(shared: Cluster) -> None:
    for target in ("one", "two"):
        shared[1].sh(f"ln -sfn {target} replaced").ok()
        assert shared[2].sh("/usr/bin/readlink replaced").ok() == f"{target}\n"
        assert shared[2].sh("/usr/bin/readlink replaced").ok() == f"{target}\n"
