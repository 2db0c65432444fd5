"""Which arguments stay with the interpreter, and which go to the program."""

import pytest

from oneos.guest.launch_python import BOOT, command, may_be_warm

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


@pytest.mark.parametrize(
    ("line", "environment", "warm"),
    [
        ("-c pass", "", True),
        ("-m json.tool x", "LANG HOME PATH", True),
        ("x.py -O -u", "TZ", True),
        ("-- x.py", "", True),
        ("", "", False),
        ("-", "", False),
        ("- a", "", False),
        ("-O -c pass", "", False),
        ("-X dev x.py", "", False),
        ("-W error x.py", "", False),
        ("-E x.py", "", False),
        ("-I x.py", "", False),
        ("-u x.py", "", False),
        ("-i x.py", "", False),
        ("-S x.py", "", False),
        ("-x x.py", "", False),
        ("-R x.py", "", False),
        ("--version", "", False),
        ("-c", "", False),
        ("x.py", "PYTHONHASHSEED", False),
        ("x.py", "PYTHONPATH", False),
        ("x.py", "PYTHONUNBUFFERED", False),
        ("x.py", "LD_PRELOAD", False),
        ("x.py", "GLIBC_TUNABLES", False),
        ("x.py", "ONEOS_GUEST_DEBUG", False),
    ],
)
def test_only_a_plain_start_may_be_warm(line: str, environment: str, warm: bool) -> None:
    names = [name.encode() for name in environment.split()]
    assert may_be_warm(command("/usr/bin/python3", line.split(" ") if line else []), names) is warm
