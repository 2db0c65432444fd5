"""The frame of the command line: what every verb gives a person who errs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from oneos.cli import main
from tests.support.waiting import WAIT_S
from tests.unit.cli.conftest import Outcome

Oneos = Callable[..., Outcome]


def test_help_names_every_verb(oneos: Oneos) -> None:
    outcome = oneos("--help")
    assert outcome.status == 0
    for verb in main.VERBS:
        assert f"\n  {verb} " in outcome.out


def test_help_imports_no_verb() -> None:
    code = (
        "import sys; from oneos.cli.main import run; run(['--help'])\n"
        "print(sorted(m for m in sys.modules if m.startswith('oneos.')), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    assert done.stderr.strip() == "['oneos.cli', 'oneos.cli.main', 'oneos.errors']"


def test_every_verb_has_a_module_with_an_example_in_its_help() -> None:
    there = {path.stem for path in Path(main.__file__).parent.glob("*.py")}
    context = click.Context(main.group)
    for verb in sorted(there & set(main.VERBS)):
        command = main.group.get_command(context, verb)
        assert command is not None
        help_text = command.get_help(click.Context(command, info_name=verb))
        assert f"oneos {verb}" in help_text.split("Example", 1)[1], verb


def test_version_is_printed(oneos: Oneos) -> None:
    outcome = oneos("--version")
    assert (outcome.status, outcome.out.split()[0]) == (0, "oneos")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stats"], "oneos: no verb is called stats, did you mean status?\n"),
        (["xyzzy"], "oneos: no verb is called xyzzy\n"),
        (["kill"], "oneos: kill: missing argument 'PID...'\n"),
        (
            ["kill", "one"],
            "oneos: kill: invalid value for 'PID...': 'one' is not a valid integer\n",
        ),
        (["status", "--jsno"], "oneos: status: no such option '--jsno'. Did you mean --json?"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    oneos: Oneos, arguments: list[str], message: str
) -> None:
    outcome = oneos(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith(message.split(". Did")[0])
    assert outcome.err.splitlines()[1].strip().startswith("see: oneos")


def test_a_host_without_a_runtime_gets_a_hint(oneos: Oneos, tmp_path: Path) -> None:
    outcome = oneos("status", "--socket", str(tmp_path / "none"))
    assert outcome.status == 1
    assert outcome.err == (
        f"oneos: no Runtime answers at {tmp_path}/none\n       start one: oneos up\n"
    )


def test_ctrl_c_ends_with_130(oneos: Oneos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oneos.local.client.Client.call", _raise(KeyboardInterrupt()))
    assert oneos("status").status == 130


def test_a_bug_shows_one_line_and_its_traceback_only_when_asked(
    oneos: Oneos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.local.client.Client.call", _raise(ZeroDivisionError("a\nb")))
    outcome = oneos("status")
    assert outcome.status == 1
    assert outcome.err.startswith("oneos: ZeroDivisionError: a b\n")
    assert "Traceback" not in outcome.err
    monkeypatch.setenv("ONEOS_DEBUG", "1")
    assert "Traceback" in oneos("status").err


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m oneos.cli.main --help | true; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.stderr == ""


def test_verbs_complete(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from oneos.cli.main import main; main()"],
        env={"_ONEOS_COMPLETE": "bash_complete", "COMP_WORDS": "oneos stat", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.stdout.split() == ["plain,status"]


def _raise(error: BaseException) -> Callable[..., None]:
    def call(*_arguments: object) -> None:
        raise error

    return call
