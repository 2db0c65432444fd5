"""Files and directories as large as the tree has to take them."""

import pytest

from tests.system.support import HOME, Cluster

GIB = 1 << 30
LONG_S = 1200.0


def python(cluster: Cluster, host: int, text: str, timeout_s: float = 120.0) -> str:
    """The output of a program on one of the hosts."""
    cluster[1].put(f"{HOME}/large.py", text.encode())
    script = f"on host:{cluster[host].name} python3 large.py"
    return cluster[1].sh(script, timeout_s=timeout_s).ok()


def test_a_sparse_file_of_100_gib_is_whole_on_another_host(shared: Cluster) -> None:
    write = f"""
with open("vast", "wb") as file:
    file.write(b"begin")
    file.seek({100 * GIB} - 3)
    file.write(b"end")
"""
    read = f"""
import os
print(os.stat("vast").st_size == {100 * GIB})
with open("vast", "rb") as file:
    print(file.read(6))
    for at in {50 * GIB}, {100 * GIB} - 4:
        file.seek(at)
        print(file.read(4))
os.unlink("vast")
"""
    python(shared, 2, write)
    assert python(shared, 3, read) == "True\nb'begin\\x00'\nb'\\x00\\x00\\x00\\x00'\nb'\\x00end'\n"


@pytest.mark.nightly
def test_a_directory_of_100_000_names_is_listed_whole_on_every_host(shared: Cluster) -> None:
    make = """
import os
os.mkdir("/tmp/many")
for number in range(100_000):
    os.close(os.open(f"/tmp/many/{number:05d}", os.O_CREAT | os.O_WRONLY))
"""
    look = """
import os
names = sorted(os.listdir("/tmp/many"))
print(names == [f"{number:05d}" for number in range(100_000)])
with os.scandir("/tmp/many") as entries:
    print(sum(entry.stat().st_size == 0 for entry in entries))
"""
    python(shared, 2, make, LONG_S)
    for host in 1, 2, 3:
        assert python(shared, host, look, LONG_S) == "True\n100000\n"
