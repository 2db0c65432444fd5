"""Named steps at which a Runtime may be told to die, so that tests can crash it exactly there.

`reach(NAME)` stands where the step is, and does nothing: a call of an empty function. Only where
the environment of a Runtime has `ONEOS_FAILPOINT` as it starts does it look further, and at the
step that is named there it ends its own process by SIGKILL, as a power cut would. The variable is

    NAME or NAME:COUNT   die when the step is reached the first, or the COUNT-th time
    @FILE                what FILE in the Runtime's directory says, in the same form, from when it
                         is there: for a step that starting reaches as well

Which steps there are stands here, and nowhere else. `tests/system/test_crashes.py` kills at each.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from oneos.errors import UserError

VARIABLE = "ONEOS_FAILPOINT"

NAMES = frozenset(
    {
        # A file's home, as it opens a file.
        "open.claimed",  # The log has it as this host's, or as being written; not open yet.
        "open.made",  # Its bytes are one file here.
        # As it commits one.
        "commit.begun",  # Nothing of it is on the disk for sure.
        "chunks.written",  # Synced, and without their names.
        "chunks.named",  # Named; the directories are not synced.
        "commit.cut",  # All chunks are safe here, no other host has them for sure.
        "commit.copied",  # And on the second host.
        "commit.agreed",  # And in the log; nobody was told.
        # As it gives one up.
        "yield.begun",
        "yield.agreed",  # The log has it at rest; the bytes are still here.
        # As another host writes one.
        "write.begun",
        "write.done",
        # A host that takes a copy.
        "copy.begun",
        "copy.kept",
        # The File System.
        "index.begun",  # A batch of changes, nothing of which is in the log.
        "index.appended",  # In the log, not applied here.
        "index.applied",  # Nothing was called back, nobody was told.
        "index.recalled",  # All called back, nobody was told.
        "index.checkpointed",  # The copy is safe; the log is about to lose its old part.
        # A host that is asked to drop what it keeps.
        "recall.begun",
        "recall.done",
        # A host that renames.
        "rename.begun",
        "rename.agreed",  # The home of what it replaced was not told.
        # A collection, where the Storage service is.
        "collect.begun",  # The hosts note what they are asked for.
        "collect.recorded",  # And the log has it.
        "collect.listed",  # It is known what is used.
        # And where the chunks are.
        "collect.removing",  # After the first chunk that is removed.
        # A copy of the index that the log does not reach any more.
        "snapshot.taken",  # Where it comes from.
        "snapshot.received",  # Where it is needed.
        "snapshot.placed",  # In place of the old one, not opened.
    }
)

_armed = False
_name = ""
_left = 0
_file: Path | None = None


def reach(name: str) -> None:
    """A step of this name is reached."""
    if _armed:
        _die_at(name)


def arm(environment: Mapping[str, str], directory: Path) -> None:
    """Take over what the environment says, if it does.

    Args:
        environment: of this process.
        directory: the Runtime's, where FILE is looked for.

    Raises:
        UserError: there is no such step.
    """
    global _armed, _name, _left, _file
    text = environment.get(VARIABLE, "")
    _armed, _name, _left, _file = bool(text), "", 0, None
    if text.startswith("@"):
        _file = directory / text[1:]
    elif text:
        _name, _left = _parsed(text)


def _parsed(text: str) -> tuple[str, int]:
    name, _, count = text.strip().partition(":")
    if name not in NAMES or not (count or "1").isdecimal() or int(count or "1") < 1:
        raise UserError(
            f"{VARIABLE}: there is no step {text.strip()!r}",
            hint="src/oneos/failpoints.py has them: NAME or NAME:COUNT",
        )
    return name, int(count or "1")


def _die_at(name: str) -> None:
    global _name, _left, _file
    if _file is not None and _file.exists():
        _name, _left = _parsed(_file.read_text(encoding="utf-8"))
        _file = None
    if name == _name:
        _left -= 1
        if not _left:
            os.kill(os.getpid(), signal.SIGKILL)
