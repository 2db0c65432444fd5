"""One program that runs here: who it is, its OS process, and what it has open.

How it starts and ends is decided in `agents.py`, for one that another program started in
`offspring.py`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

from oneos.errors import FileError
from oneos.files.handles import Caller, Handle
from oneos.files.shared import Shared
from oneos.kernel import messages as m
from oneos.limits import AGENT_HANDLES_MAX
from oneos.runtime.control_socket import Control
from oneos.runtime.ends import Standard
from oneos.runtime.environments import Environment
from oneos.runtime.terminals import Terminal
from oneos.runtime.watched import Watched


@dataclass(slots=True)
class Agent:
    """One program that runs here.

    `process` is the OS process of a program that the Runtime executed, `watched` of one that a
    program or a warm interpreter started; `inherited` are the handles it has from its parent. While
    it waits for the other end of a FIFO, or its packages are installed, it is `preparing`. What it
    is sent before it has an OS process is `pending`, each signal once, as the kernel keeps them.
    One that was `seen` and has neither `process` nor `watched` ended before it could be watched.
    One at a `terminal` belongs to a `job` there (its number, and whether it starts in the
    foreground), whose programs are one process `group`. One that can move has a `control` socket;
    one that comes from another host goes on from an `image`, with `files`; one whose image is on
    its way is `standing`, and one that has `moved` is elsewhere. Who makes it stand has the `turn`
    meanwhile.
    """

    start: m.Start
    token: str
    caller: Caller
    stage: str
    standard: Standard = field(default_factory=Standard)
    process: subprocess.Popen[bytes] | None = None
    watched: Watched | None = None
    parent: Agent | None = None
    handles: dict[int, Handle] = field(default_factory=dict)
    inherited: set[Shared] = field(default_factory=set)
    complaints: int = -1
    environment: Environment | None = None
    control: Control | None = None
    image: int = -1
    files: list[m.OpenFile] = field(default_factory=list)
    standing: bool = False
    moved: bool = False
    terminal: Terminal | None = None
    job: tuple[int, bool] = (0, False)
    group: int = 0
    preparing: asyncio.Task[None] | None = None
    signalled: int = 0
    pending: set[int] = field(default_factory=set)
    seen: bool = False
    over: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    dropped: Callable[[], None] = lambda: None
    last_handle: int = 0

    @property
    def os_pid(self) -> int:
        """The host's PID of it; 0 while it has none, and once it has ended."""
        if self.over or (self.process is not None and self.process.returncode is not None):
            return 0
        if self.process is not None:
            return self.process.pid
        return self.watched.os_pid if self.watched is not None else 0

    @property
    def is_starting(self) -> bool:
        """Whether it has had no OS process so far, as far as is known here."""
        return not (self.over or self.seen or self.process or self.watched)

    def own_terminal(self) -> tuple[Terminal, int] | None:
        """The terminal at which it or the program that it descends from was started, and the job
        there; None where there is none, or it has left the job's process group."""
        top = self
        while top.terminal is None and top.parent is not None:
            top = top.parent
        leader = top.terminal.leader if top.terminal is not None else None
        if top.terminal is None or leader is None or not self.os_pid:
            return None
        try:
            found = os.getsid(self.os_pid), os.getpgid(self.os_pid)
        except ProcessLookupError:
            return None
        return (top.terminal, top.job[0]) if found == (leader.os_pid, top.group) else None

    def keep(self, handle: Handle) -> int:
        """Enter an opened file; returns its number.

        Raises:
            FileError: EMFILE; or EBADF when the program has ended meanwhile: nobody would close it.
        """
        if self.over:
            raise FileError(errno.EBADF)
        if len(self.handles) >= AGENT_HANDLES_MAX:
            raise FileError(errno.EMFILE)
        self.last_handle += 1
        self.handles[self.last_handle] = handle
        return self.last_handle
