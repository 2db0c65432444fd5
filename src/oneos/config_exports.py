"""The `[[export]]` tables of a host's configuration: what it shows of its own files under /host.

An export is a name, a directory of the host and whether others may change what is in it. Nothing is
exported by itself. Whether the directory is there is found when somebody looks
(`files.exports`): a disk may be plugged in later.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from msgspec import Struct

from oneos.limits import EXPORTS_MAX
from oneos.toml_table import Table

_NAME = re.compile(r"[A-Za-z0-9_.:+@-]{1,255}")


class ExportConfig(Struct, frozen=True, kw_only=True):
    """One directory that a host exports.

    Args:
        name: below /host/NAME-OF-THE-HOST; one name.
        path: the directory, absolute.
        write: whether it may be changed through the tree.
    """

    name: str
    path: str
    write: bool = False


def parse_exports(table: Table, base: Path) -> list[ExportConfig]:
    """The exports of a configuration.

    Args:
        table: the top table of the file; its key `export` is read.
        base: where relative paths start: the file's directory.

    Raises:
        ConfigError: an export is wrong; the message names the file, the export and the key.
    """
    rows = table.array("export")
    if len(rows) > EXPORTS_MAX:
        raise table.error("export", f"{len(rows)} exports; at most {EXPORTS_MAX} on one host")
    exports: dict[str, ExportConfig] = {}
    for row in rows:
        export = _export(row, base)
        if export.name in exports:
            raise row.error("name", "exported twice", "each export has a name of its own")
        exports[export.name] = export
    return list(exports.values())


def _export(row: Table, base: Path) -> ExportConfig:
    name = row.string("name", "")
    if not name:
        raise row.error("name", "missing", 'every export has one: name = "music"')
    # From here on messages call the export by its name, not by its number in the file.
    row.name = f'export "{name}"'
    if not _NAME.fullmatch(name) or name in (".", ".."):
        hint = "letters, digits and _ . : + @ -, without a slash"
        raise row.error("name", f'"{name}" cannot be a name under /host', hint)
    path = row.string("path", "")
    if not path or "\0" in path:
        raise row.error("path", "missing", 'the directory to show: path = "/srv/music"')
    write = row.boolean("write", False)
    row.close()
    return ExportConfig(name=name, path=str(base / os.path.expanduser(path)), write=write)
