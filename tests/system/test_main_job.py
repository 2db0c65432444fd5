"""The main job: a sensor of another host into a file, and a pipeline over two hosts."""

import shutil
from pathlib import Path

import pytest

from tests.system.support import EXAMPLES, HOME, Cluster, Host, Outcome, local_sh

SENSOR = (EXAMPLES / "seattle-temps.csv").read_bytes()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_sensor_is_read_into_a_file_from_any_host(shared: Cluster, number: int) -> None:
    host = shared[number]

    assert host.sh(f"cat /dev/sensor/1 > sensor-{number}.log").ok() == ""

    # Whole, and the same wherever it is read.
    for other in shared.hosts:
        assert other.sh(f"cat sensor-{number}.log").out == SENSOR


def test_a_sensor_may_be_a_redirected_input(shared: Cluster) -> None:
    assert shared[3].sh("cat < /dev/sensor/1").out == SENSOR
    assert shared[3].sh("on host:host1 cat < /dev/sensor/1 | on host:host2 wc -l").ok() == "8759\n"


def test_python_and_node_on_two_hosts_give_what_sh_gives(shared: Cluster, tmp_path: Path) -> None:
    for name in ("to_celsius.py", "average.js", "seattle-temps.csv"):
        shutil.copy(EXAMPLES / name, tmp_path / name)
        shared[1].put(f"{HOME}/{name}", (EXAMPLES / name).read_bytes())
    expected = local_sh("python3 to_celsius.py < seattle-temps.csv | node average.js", tmp_path)
    assert expected.startswith(b"count 8759\n")

    line = (
        "on host:host2 python3 to_celsius.py < seattle-temps.csv"
        " | on host:host3 node average.js > average.txt"
    )
    assert shared[1].sh(line).ok() == ""

    assert shared[1].get(f"{HOME}/average.txt") == expected
    ran = {p["command"].split()[0]: p["host"] for p in shared[1].processes()}
    assert ran["python3"] == "host2" and ran["node"] == "host3"


SCRIPT = """\
# What a script of the demonstration does, and how it is told its arguments.
for name in "$@"; do
    echo "$name" | on host:host3 tr a-z A-Z
done
test -f /no/such || exit 7
"""


def test_a_script_of_the_host_runs_with_its_arguments(shared: Cluster, tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text(SCRIPT)

    outcome = shared[1].run("sh", "--user", "alice", str(script), "one", "two words")

    assert outcome == Outcome(7, b"ONE\nTWO WORDS\n", "")


def test_a_script_of_the_tree_runs_as_well(shared: Cluster) -> None:
    shared[2].put(f"{HOME}/script.sh", SCRIPT.encode())

    outcome = shared[1].run("sh", "--user", "alice", "script.sh", "one")

    assert outcome == Outcome(7, b"ONE\n", "")


def test_commands_on_standard_input_leave_the_rest_to_programs(shared: Cluster) -> None:
    given = b'echo first\nread line\nof the input\necho "$line"; on host:host2 cat; exit 3\nrest\n'

    outcome = shared[1].run("sh", "--user", "alice", stdin=given)

    # A pipe cannot be put back: a program gets all that the shell has not read.
    assert outcome == Outcome(3, b"first\nof the input\nrest\n", "")


def test_the_shell_keeps_its_variables_directory_and_status(shared: Cluster) -> None:
    script = 'mkdir -p d && cd d && x=5; pwd; echo "$x $HOST"; false; echo $?; cd ..; rmdir d'

    assert shared[3].sh(script).ok() == f"{HOME}/d\n5 host3\n1\n"


def test_the_tree_shows_what_hosts_and_devices_there_are(shared: Cluster) -> None:
    host: Host = shared[1]

    assert host.sh("ls /runtime").ok() == "host1\nhost2\nhost3\n"
    assert host.sh("ls /dev/sensor").ok() == "1\nslow\n"
    assert host.sh("ls -l /dev/sensor/1").text.startswith("cr--r--r--")
    assert host.sh("ls /runtime/host2/devices/sensor").ok() == "1\nslow\n"
