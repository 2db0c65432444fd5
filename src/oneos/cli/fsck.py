"""`oneos fsck`: looks whether all content is there and undamaged, and repairs what can be.

The check runs at the Storage service; this begins it, asks how far it is, and prints what it found.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from typing import Any

import click

from oneos.cli.display import print_json, visible
from oneos.cli.options import ask, json_option, socket_option
from oneos.errors import OneOSError, UserError
from oneos.limits import CHECK_POLL_S
from oneos.local.address import default_socket
from oneos.local.client import Client

REPAIRED, LEFT, FAILED = 1, 4, 8
"""As fsck(8) has them; 0 is clean."""


def _paths(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    above, _, begun = incomplete.rpartition("/")
    path = ctx.params.get("socket_path") or default_socket()
    try:
        entries = ask(path, "list", os.fsencode(above or "/"))
    except OneOSError:
        return []
    names = [(os.fsdecode(name), stat.S_ISDIR(kind)) for name, kind, *_ in entries]
    return [f"{above}/{name}{'/' * d}" for name, d in sorted(names) if name.startswith(begun)]


@click.command("fsck")
@click.argument("path", default="/", shell_complete=_paths)
@click.option("--repair", is_flag=True, help="Do what can be done about what is found.")
@click.option("--quick", is_flag=True, help="Only compare lists of chunks; read none of them.")
@socket_option
@json_option
def command(path: str, repair: bool, quick: bool, socket_path: str, as_json: bool) -> int:
    """Check that the content of all files, or of those below PATH, is there and undamaged.

    Every live host reads its chunks and compares them with their names. The status is 0 if all is
    well, 1 if what was wrong is repaired, 4 if something is left, 8 if a part was not checked.

    \b
    Example:
      oneos fsck --quick
      oneos fsck --repair /home/alice
    """
    try:
        if not path.startswith("/"):
            raise UserError(f"fsck: {path}: a path of the tree begins with /")
        with Client(socket_path) as client:
            state, findings = _check(client, path, repair, quick, as_json)
    except OneOSError as error:
        print(error.lines(), file=sys.stderr)
        return FAILED
    if as_json:
        names = ("files", "chunks", "repaired", "left", "beyond")
        print_json({"findings": findings} | {name: state[name] for name in names})
    else:
        click.echo(_summary(state, quick))
    if any(f["kind"] == "unchecked" and f["state"] == "left" for f in findings):
        return FAILED
    return LEFT if state["left"] else REPAIRED if state["repaired"] else 0


def _check(
    client: Client, path: str, repair: bool, quick: bool, as_json: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    name = os.urandom(8).hex()
    findings: list[dict[str, Any]] = []
    progress = _Progress()
    client.call("fsck", name, os.fsencode(path), repair, quick)
    try:
        while True:
            state = client.call("fsck_look", name, len(findings))
            progress.clear()
            for finding in state["findings"]:
                findings.append(finding)
                if not as_json:
                    click.echo(_line(finding))
            if state["error"]:
                raise UserError(f"fsck: {state['error']}")
            if state["over"] and len(findings) >= state["found"]:
                return state, findings
            if not state["findings"]:
                progress.show(state)
                time.sleep(CHECK_POLL_S)
    except KeyboardInterrupt:
        progress.clear()
        client.call("fsck_end", name)
        raise


def _line(finding: dict[str, Any]) -> str:
    where = [visible(finding[key]) for key in ("path", "host") if finding[key]]
    end = {"left": "", "repaired": " [repaired]", "note": ""}[finding["state"]]
    return f"{': '.join([*where, visible(finding['text'])])}{end}"


def _summary(state: dict[str, Any], quick: bool) -> str:
    looked = "" if quick else f", {state['chunks']} chunks read"
    text = f"{state['files']} files{looked}: "
    if not state["left"] and not state["repaired"]:
        return text + "clean"
    beyond = f" ({state['beyond']} of them not shown)" if state["beyond"] else ""
    return text + f"{state['repaired']} repaired, {state['left']} left{beyond}"


class _Progress:
    """One line on the terminal that says how far it is; nothing where there is none."""

    def __init__(self) -> None:
        self._shown = False
        self._terminal = sys.stderr.isatty()

    def show(self, state: dict[str, Any]) -> None:
        if self._terminal:
            share = f" {state['done']}/{state['total']}" if state["total"] else ""
            sys.stderr.write(f"\r\x1b[K{state['step']}{share}")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
