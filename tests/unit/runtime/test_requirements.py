"""What programs say of the packages they need, as it is read."""

import pytest

from oneos.errors import UserError
from oneos.runtime.installers import reason
from oneos.runtime.requirements import _inline, _of_python, _of_table, accepts


@pytest.mark.parametrize(
    ("python", "version", "accepted"),
    [
        ("", "3.11.7", True),
        (">=3.11", "3.11.7", True),
        (">=3.12", "3.11.7", False),
        (">=3.9, <3.12", "3.11.7", True),
        (">=3.9,<3.11", "3.11.7", False),
        ("==3.11.*", "3.11.7", True),
        ("==3.11", "3.11.7", False),
        ("!=3.11.*", "3.11.7", False),
        ("~=3.11", "3.13.0", True),
        ("~=3.11.2", "3.12.0", False),
        (">3.11", "3.11.7", True),
        ("<=3.11", "3.11.7", False),
        ("=== whatever", "3.11.7", True),
    ],
)
def test_versions_of_python_are_compared_as_pep_440_says(
    python: str, version: str, accepted: bool
) -> None:
    assert accepts(python, version) is accepted


def test_a_requirements_file_is_made_uniform() -> None:
    lines = ["# first", "", "six >= 1.16  # newer", "a[b]==1 \\", "  --hash=sha256:ab", "--pre"]
    found = _of_python(lines, "/p.py", "/requirements.txt")
    assert found is not None
    assert found.names == ("six", "a")
    assert found.files == {
        "requirements.txt": b"six >= 1.16\na[b]==1   --hash=sha256:ab\n--pre\n".replace(
            b"   --", b" --"
        )
    }


def test_requirements_of_every_form_are_taken() -> None:
    lines = [
        "a",
        "b[x, y]>=1,<2",
        "c (==1)",
        "d; python_version>'3'",
        "e @ file:///e-1.whl#sha256=0",
    ]
    found = _of_python(lines, "/p.py", "/requirements.txt")
    assert found is not None and found.names == tuple("abcde")


def test_the_same_packages_are_the_same_wherever_they_are_named() -> None:
    inline = _inline("#!x\n# /// script\n# dependencies = ['six>=1']\n# ///\n", "/p.py")
    assert inline is not None
    one = _of_table(inline, "/p.py", "/p.py")
    other = _of_python(["six>=1  # why"], "/q.py", "/requirements.txt")
    assert one is not None and other is not None
    assert one.files == other.files


@pytest.mark.parametrize(
    "line",
    [
        "-r more.txt",
        "-e .",
        "--editable=.",
        "-c limits.txt",
        "--user",
        "./local",
        "/abs",
        "a/b",
        "https://host/x.whl",
        "x @ git+https://host/x",
        "x@file:///x.tar.gz",
        "x @ file:///d#a.whl",
    ],
)
def test_what_names_other_files_is_refused(line: str) -> None:
    with pytest.raises(UserError):
        _of_python([line], "/p.py", "/requirements.txt")


@pytest.mark.parametrize(
    "table",
    [
        {"dependencies": "six"},
        {"dependencies": [1]},
        {"dependencies": ["--index-url x"]},
        {"dependencies": ["six\n-e ."]},
        {"requires-python": 3},
    ],
)
def test_a_table_of_the_wrong_shape_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(UserError):
        _of_table(table, "/p.py", "/pyproject.toml")


@pytest.mark.parametrize("text", ["# /// script\n# x = 1\n", "# /// other\n# x = 1\n# ///\n", ""])
def test_what_is_no_inline_metadata_is_none(text: str) -> None:
    assert _inline(text, "/p.py") is None


def test_two_blocks_of_inline_metadata_are_refused() -> None:
    with pytest.raises(UserError, match="two blocks"):
        _inline("# /// script\n# x = 1\n# ///\n\n" * 2, "/p.py")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "ERROR: Could not find a version\nERROR: No matching distribution found for x\n",
            "No matching distribution found for x",
        ),
        (
            "npm error code ENOENT\nnpm error syscall open\nnpm error A complete log of\n",
            "syscall open",
        ),
        (
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because x was not found\n",  # noqa: RUF001
            "No solution found when resolving dependencies: Because x was not found",
        ),
        ("", ""),
    ],
)
def test_an_installers_last_words_become_one_line(said: str, line: str) -> None:
    assert reason(said) == line
