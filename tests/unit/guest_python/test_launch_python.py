"""Which arguments stay with the interpreter, and which go to the program."""

import pytest

from oneos.guest.launch_python import BOOT, command

CASES = {
    "": ["-S", BOOT, ""],
    "x.py a -b": ["-S", BOOT, "", "x.py", "a", "-b"],
    "-u x.py -u": ["-S", "-u", BOOT, "", "x.py", "-u"],
    "-uB x.py": ["-S", "-u", "-B", BOOT, "", "x.py"],
    "-c code -c": ["-S", BOOT, "", "-c", "code", "-c"],
    "-ccode a": ["-S", BOOT, "", "-c", "code", "a"],
    "-uccode a": ["-S", "-u", BOOT, "", "-c", "code", "a"],
    "-m pkg -m": ["-S", BOOT, "", "-m", "pkg", "-m"],
    "-W error x.py": ["-S", "-W", "error", BOOT, "", "x.py"],
    "-Werror -Xdev x.py": ["-S", "-W", "error", "-X", "dev", BOOT, "", "x.py"],
    "-S -x x.py": ["-S", BOOT, "Sx", "x.py"],
    "-OO -I -c 1": ["-S", "-O", "-O", "-I", BOOT, "", "-c", "1"],
    "- a": ["-S", BOOT, "", "-", "a"],
    "-- -x.py": ["-S", BOOT, "", "-x.py"],
    "--check-hash-based-pycs always x.py": [
        "-S", "--check-hash-based-pycs", "always", BOOT, "", "x.py",
    ],
    "--version": ["--version"],
    "-V x.py": ["-V", "x.py"],
    "-uV": ["-uV"],
    "-Z x.py": ["-Z", "x.py"],
    "-c": ["-c"],
    "-W": ["-W"],
}  # fmt: skip


@pytest.mark.parametrize("line", CASES)
def test_command_line(line: str) -> None:
    expected = [b"/py", *(word.encode() for word in CASES[line])]
    assert command("/py", line.split()) == expected


def test_bytes_that_are_no_text_pass_through() -> None:
    assert command("/py", [b"\xff.py", "\udcfe"])[-2:] == [b"\xff.py", b"\xfe"]
