"""Files, from inside a program: small ones by single calls, a large one from end to end.

`home` is a program on the host of the File System service, where the files have their home too.
`away` is a program on another host: it creates files there, whose names are agreed on elsewhere,
and it looks at, reads and removes files that the first host made. `async` is as `home`, in a
directory whose files are committed after their close (docs/storage.md). What plain files and those
of sshfs keep when a call returns depends on fsync, so there are two peers of each: without and with
it. (OpenSSH's server has an extension for it, by which sshfs has it sync the file.)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bench import programs
from bench.case import NATIVE, ONEOS, SSHFS, SSHFS_SYNCED, SYNCED, Case, Measured, Row
from bench.setting import Setting, python, run_native

MIB = 1 << 20
CONTENT = "content on two hosts' disks, name on a majority's"
PROGRAMS = 16
SIDES = ("home", "away", "async")
CALLS = ("create", "stat", "read", "unlink")
STEPS = ("write", "reread", "fetch", "fetch_new")
NAME = "the change, on a majority's disks"
SOON = "nothing; the change within 20 ms"


def cases(setting: Setting) -> list[Case]:
    """Small files, a large one and, unless it is to be quick, one of 1 GiB; at home and away."""
    sides = [_small(setting, side) for side in SIDES]
    large = [_large(setting, "files", setting.sized(256, 32))]
    if not setting.quick:
        large.append(_large(setting, "files.large", 1024))
    return [*sides, _at_once(setting), *large]


def _tree(setting: Setting, name: str) -> str:
    return f"{setting.cluster.session.home.decode()}/{name}"


def _measured(output: bytes, prefix: str) -> dict[str, list[float]]:
    return {prefix + name: values for name, values in json.loads(output).items()}


def _small(setting: Setting, side: str) -> Case:
    prefix = f"files.{side}."
    where = "another host than its program's" if side == "away" else "its own host"
    rows = (
        Row(
            prefix + "create",
            "s",
            "create, write 1 KiB and close a file"
            + ("; its names are kept on another host" if side == "away" else ""),
            "nothing; all of it within a second" if side == "async" else CONTENT,
        ),
        Row(prefix + "stat", "s", f"stat of a file made on {where}"),
        Row(prefix + "read", "s", f"open, read and close a file made on {where}"),
        Row(
            prefix + "unlink",
            "s",
            f"unlink of a file made on {where}",
            SOON if side == "async" else NAME,
        ),
    )
    count = setting.sized(100, 20)

    def oneos() -> Measured:
        made, here = _tree(setting, setting.fresh()), _tree(setting, setting.fresh())
        if side == "async":
            made = f"/tmp/{setting.fresh()}"
        run = setting.cluster.session.run

        def on(host: str, directory: str, steps: str) -> dict[str, list[float]]:
            words = ["python3", "-c", programs.SMALL_FILES, directory, str(count), steps, "0"]
            return _measured(run([(host, words)]), prefix)

        if side != "away":
            return on(setting.home, made, "csru")
        on(setting.home, made, "c")
        return on(setting.away, here, "cu") | on(setting.away, made, "sru")

    def plain(directory: Path, synced: bool) -> Measured:
        words = [python(), "-c", programs.SMALL_FILES, str(directory / setting.fresh())]
        return _measured(run_native([*words, str(count), "csru", "01"[synced]]), prefix)

    def synced(directory: Path) -> Measured:
        create = prefix + "create"
        return {create: plain(directory, True)[create]}

    return Case(rows, *_contenders(setting, oneos, plain, synced))


def _contenders(
    setting: Setting,
    oneos: Callable[[], Measured],
    plain: Callable[[Path, bool], Measured],
    synced: Callable[[Path], Measured],
) -> tuple[dict[str, Callable[[], Measured]], dict[str, str]]:
    """All that take part, and why others do not."""
    contenders = {
        ONEOS: oneos,
        NATIVE: lambda: plain(setting.plain, False),
        SYNCED: lambda: synced(setting.plain),
    }
    mounted = setting.mounted
    if mounted is None:
        return contenders, dict.fromkeys((SSHFS, SSHFS_SYNCED), setting.sshfs_missing or "-")
    contenders[SSHFS] = lambda: plain(mounted, False)
    contenders[SSHFS_SYNCED] = lambda: synced(mounted)
    return contenders, {}


def _at_once(setting: Setting) -> Case:
    name = "files.at_once.create"
    what = f"create, write 1 KiB and close a file, of {PROGRAMS} programs at once: time by files"
    count = str(setting.sized(20, 5))

    def measured(output: bytes) -> Measured:
        return {name: json.loads(output)["create"]}

    def oneos() -> Measured:
        directory = _tree(setting, setting.fresh())
        words = ["python3", "-c", programs.SMALL_FILES_AT_ONCE, directory, str(PROGRAMS), count]
        return measured(setting.cluster.session.run([(setting.home, [*words, "0"])]))

    def plain(directory: Path, synced: bool) -> Measured:
        words = [python(), "-c", programs.SMALL_FILES_AT_ONCE, str(directory / setting.fresh())]
        return measured(run_native([*words, str(PROGRAMS), count, "01"[synced]]))

    def synced(directory: Path) -> Measured:
        return plain(directory, True)

    rows = (Row(name, "s", what, CONTENT),)
    return Case(rows, *_contenders(setting, oneos, plain, synced))


def _large(setting: Setting, prefix: str, mib: int) -> Case:
    size = mib * MIB
    write, reread, fetch, fetch_new = (f"{prefix}.{step}" for step in STEPS)
    rows = (
        Row(write, "B/s", f"write {mib} MiB and close", CONTENT),
        Row(reread, "B/s", f"open and read {mib} MiB where they were written"),
        Row(fetch, "B/s", f"open and read {mib} MiB on the host of the second copy"),
        Row(fetch_new, "B/s", f"open and read {mib} MiB on a host without a copy"),
    )

    def oneos() -> Measured:
        path = _tree(setting, setting.fresh())

        def on(host: str, step: str) -> list[float]:
            words = ["python3", "-c", programs.SEQUENTIAL, path, str(size), step, "0"]
            rate: list[float] = json.loads(setting.cluster.session.run([(host, words)]))["rate"]
            return rate

        home, before = setting.home, setting.cluster.chunks()
        written = on(home, "w")
        grown = {name: n - before[name] for name, n in setting.cluster.chunks().items()}
        second, third = sorted((name for name in grown if name != home), key=lambda n: -grown[n])
        measured = {
            write: written,
            reread: on(home, "r"),
            fetch: on(second, "r"),
            fetch_new: on(third, "r"),
        }
        on(home, "u")
        return measured

    def plain(directory: Path, synced: bool) -> Measured:
        path = str(directory / setting.fresh())

        def step(name: str) -> list[float]:
            words = [python(), "-c", programs.SEQUENTIAL, path, str(size), name, "01"[synced]]
            rate: list[float] = json.loads(run_native(words))["rate"]
            return rate

        measured = {write: step("w"), reread: step("r")}
        step("u")
        return measured

    def remote(directory: Path) -> Measured:
        measured = plain(directory, False)
        # To sshfs every file is on another host, and that host has no copy.
        read = measured[reread]
        return {write: measured[write], fetch: read, fetch_new: read}

    def local() -> Measured:
        measured = plain(setting.plain, False)
        return {**measured, fetch: measured[reread], fetch_new: measured[reread]}

    contenders: dict[str, Callable[[], Measured]] = {
        ONEOS: oneos,
        NATIVE: local,
        SYNCED: lambda: {write: plain(setting.plain, True)[write]},
    }
    missing = {}
    mounted = setting.mounted
    if mounted is not None:
        contenders[SSHFS] = lambda: remote(mounted)
    else:
        missing[SSHFS] = setting.sshfs_missing or "-"
    return Case(rows, contenders, missing, rounds_max=3)
