"""What is promised about the repository itself."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import WAIT_S

ROOT = Path(__file__).parents[2]
FAHRENHEIT = "date,temp\n2010/01/01 00:00,39.4\n2010/01/01 01:00,-40\n2010/01/01 02:00,212"


def test_every_locked_package_has_hashes() -> None:
    for name in ("requirements.lock", "requirements-node.lock"):
        text = (ROOT / name).read_text()
        packages = re.findall(r"^[a-z0-9][^\n]*==(?:[^\n]*\\\n)+[^\n]*", text, re.MULTILINE)
        assert packages
        assert all("--hash=sha256:" in package for package in packages)
        assert "://" not in text


def test_links_between_documents_lead_somewhere() -> None:
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_architecture_speaks_only_of_files_that_are_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for path in re.findall(r"`((?:src|tests|docs|examples|bench)/[A-Za-z0-9_./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_the_examples_are_ordinary_programs() -> None:
    celsius = subprocess.run(
        ["python3", ROOT / "examples/to_celsius.py"],
        input=FAHRENHEIT,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=True,
    ).stdout
    assert celsius == "4.11\n-40.00\n100.00\n"


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("1\n2\n4.5", "count 3\nmean 2.50\nmin 1.00\nmax 4.50\n"),
        ("-1\n", "count 1\nmean -1.00\nmin -1.00\nmax -1.00\n"),
        ("", "count 0\n"),
    ],
)
def test_the_average_is_right(text: str, out: str) -> None:
    done = subprocess.run(
        ["node", ROOT / "examples/average.js"],
        input=text,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=True,
    )
    assert done.stdout == out


def test_do_explains_itself_and_refuses_unknown_tasks() -> None:
    shown = subprocess.run(
        [ROOT / "do"], capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    assert shown.stdout.startswith("usage: ./do TASK")
    refused = subprocess.run([ROOT / "do", "dmeo"], capture_output=True, text=True, timeout=WAIT_S)
    assert refused.returncode == 1
    assert "do: unknown task: dmeo" in refused.stderr


@pytest.mark.nightly
def test_a_fresh_clone_sets_itself_up_once_and_again_when_the_lock_changes(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], timeout=60, check=True)
    # Without the .venv this test runs in.
    path = ":".join(p for p in os.environ["PATH"].split(":") if ".venv" not in p)

    def do() -> tuple[str, str]:
        done = subprocess.run(
            [clone / "do", "test", "--version"],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    out, err = do()
    assert out.startswith("pytest ")
    assert err.splitlines()[0].startswith("do: making .venv with Python 3.")
    assert err.splitlines()[-1] == "do: ready"
    assert do() == (out, "")
    with open(clone / "requirements.lock", "a") as lock:
        lock.write("# A line more.\n")
    assert do()[1].startswith("do: installing the packages of requirements.lock")
    assert do() == (out, "")
