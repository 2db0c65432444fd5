"""What Runtimes and Kernel Agents say to each other, apart from the File System's commands.

One struct a message, named as a verb. Those for a Kernel Agent travel inside `services.Ask`; the
others are the arguments of a method between two Runtimes, which the comment above them names.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from oneos.state import control_types as t
from oneos.state.control_types import EngineView, Facts
from oneos.state.names_types import Attr

Path = bytes


# --- cache.recall ---------------------------------------------------------------------------
class Recall(Struct, frozen=True):
    """Drop what the kernel keeps of these inodes and of all names, or of everything."""

    inos: list[int]
    everything: bool = False


# --- session service ------------------------------------------------------------------------
class Login(Struct, frozen=True, tag="login"):
    """Open a session for a user at the asking host."""

    user: str
    incarnation: int


class Logout(Struct, frozen=True, tag="logout"):
    sid: int


class LoggedIn(Struct, frozen=True):
    sid: int
    user: str
    home: Path
    env: dict[str, str]


SessionMessage = Login | Logout


# --- scheduler service ----------------------------------------------------------------------
class Wish(Struct, frozen=True):
    """One program to place: what it is, what it demands, and how it hangs together with the rest.

    `follows`, `from_asker`, `to_asker`, `child`: see `kernel.placement`. `template`: whatever host
    it is placed on starts it by itself.
    """

    argv: list[bytes]
    cwd: Path
    demands: t.Demands
    follows: bool = False
    from_asker: bool = False
    to_asker: bool = False
    child: bool = False
    template: t.Template | None = None


class Schedule(Struct, frozen=True, tag="schedule"):
    """Place the programs of one pipeline and enter them into the process table.

    wait: what can be placed later is entered as waiting, all or nothing. dry: only say where they
    would go; nothing is entered.
    """

    sid: int
    ppid: int
    user: str
    home_host: str
    wishes: list[Wish]
    wait: bool = False
    dry: bool = False


class Placed(Struct, frozen=True):
    """Where a program goes, or why nowhere: then `errno` is set and `pid` is 0.

    With a PID and no host it waits.
    """

    pid: int
    host: str
    errno: int = 0
    message: str = ""
    hint: str = ""
    why: list[str] = []


class Migrate(Struct, frozen=True, tag="migrate"):
    """Have a running program go to another host with its state; answers that host's name.

    host: "" for the best one. wait_s: how long a point is looked for where it can move; 0: as
    usual. It only begins: the table says what comes of it.
    """

    pid: int
    host: str
    wait_s: float = 0.0


SchedulerMessage = Schedule | Migrate


# --- pubsub service -------------------------------------------------------------------------
class Topics(Struct, frozen=True, tag="topics"):
    """List the topics that hold records."""


PubSubMessage = Topics


# --- storage service ------------------------------------------------------------------------
class Targets(Struct, frozen=True, tag="targets"):
    """Which hosts should hold copies of what `home` commits, best first."""

    home: str


class Health(Struct, frozen=True, tag="health"):
    """How many files have fewer copies than they should."""


class CollectNow(Struct, frozen=True, tag="collect"):
    """Remove the chunks that no file has; answers Collected for each live host."""


class Collected(Struct, frozen=True, array_like=True):
    """What a collection removed at a host; `error` says why it removed nothing."""

    host: str
    chunks: int = 0
    bytes: int = 0
    error: str = ""


class Audit(Struct, frozen=True, tag="audit"):
    """A host has put chunks aside as damaged: compare what it holds with the index, soon."""

    host: str


class Lost(Struct, frozen=True, tag="lost"):
    """How many files have, as far as is known, no whole copy on any live host."""


class CheckBegin(Struct, frozen=True, tag="check-begin"):
    """Begin a check (`kernel.check`) under a name the asker chose; one goes on at a time.

    path: of a file or directory, `/` for everything. repair: do what can be done. quick: only
    compare lists, and read no chunk.
    """

    name: str
    path: bytes
    repair: bool
    quick: bool


class CheckLook(Struct, frozen=True, tag="check-look"):
    """How far that check is; answers CheckState, without its first `after` findings."""

    name: str
    after: int


class CheckEnd(Struct, frozen=True, tag="check-end"):
    """Give that check up, if it still goes on."""

    name: str


class Finding(Struct, frozen=True):
    """One thing a check found.

    kind: "lost", "away", "few", "damaged", "lacking", "nameless" (a name without a file),
    "unused", "leftover" or "unchecked". state: "left", "repaired", or "note" for what is no fault.
    """

    kind: str
    state: str
    text: str
    path: bytes = b""
    host: str = ""


class CheckState(Struct, frozen=True):
    """How far a check is, and what it found.

    findings: some of those asked for; `found` is how many there are, without those `beyond` the
    bound, which are only counted. error: why it ended before its end.
    """

    step: str
    done: int
    total: int
    over: bool
    findings: list[Finding]
    found: int = 0
    files: int = 0
    chunks: int = 0
    left: int = 0
    repaired: int = 0
    beyond: int = 0
    error: str = ""


StorageMessage = Targets | Health | CollectNow | Audit | Lost | CheckBegin | CheckLook | CheckEnd


# --- between Runtimes: home.* ---------------------------------------------------------------
class HomeFile(Struct, frozen=True, array_like=True):
    """home.stat, home.cut, home.commit: a file at its home, fenced by the home's epoch."""

    ino: int
    home_epoch: int


class HomeWanted(Struct, frozen=True, array_like=True):
    """home.yield: make the caller's host, in this incarnation, a file's home if nobody has it open.

    Answers Opened; None where somebody has.
    """

    ino: int
    home_epoch: int
    incarnation: int
    writing: bool


class Orphan(Struct, frozen=True, array_like=True):
    """home.orphaned: the file has lost its last name."""

    ino: int


class HomeOpen(Struct, frozen=True, array_like=True):
    """home.open; `handle` is the number of the opening, which the opener never uses again, and
    `path` where it found the file."""

    ino: int
    home_epoch: int
    flags: int
    handle: int
    path: bytes = b""


class HomeHandle(Struct, frozen=True, array_like=True):
    """home.close, home.sync, home.flush, home.fstat"""

    handle: int


class HomeRead(Struct, frozen=True, array_like=True):
    """home.read"""

    handle: int
    offset: int
    count: int


class HomeWrite(Struct, frozen=True, array_like=True):
    """home.write; offset -1 appends"""

    handle: int
    offset: int
    data: bytes


class HomeTruncate(Struct, frozen=True, array_like=True):
    """home.truncate"""

    handle: int
    size: int


class HomeLock(Struct, frozen=True, array_like=True):
    """home.lock, home.locked; kind, type, first and last as `storage.file_locks.Range`.

    `number`, which the asker uses once, is that of a wait, to be called back by; 0: not to wait.
    """

    handle: int
    owner: str
    pid: int
    kind: str
    type: int
    first: int
    last: int
    number: int = 0


class HomeUnlock(Struct, frozen=True, array_like=True):
    """home.unlock, home.closing: an owner gives up all its locks of a file, or may do so soon"""

    handle: int
    owner: str


class HomeCallBack(Struct, frozen=True, array_like=True):
    """home.call_back: a wait is to end"""

    number: int


class HomeLocked(Struct, frozen=True, array_like=True):
    """The answer of home.locked: what stands in the way; its process's PID, 0 if unknown."""

    type: int
    first: int
    last: int
    pid: int


class HomeStat(Struct, frozen=True, array_like=True):
    """The answer of home.stat and home.fstat."""

    size: int
    mtime_ns: int


class HomeTime(Struct, frozen=True, array_like=True):
    """home.time: the log says that the time of a file was set; true where no commit came first."""

    attr: Attr
    mtime_ns: int


class HomeOpened(Struct, frozen=True, array_like=True):
    """The answer of home.open."""

    handle: int
    size: int


# --- between Runtimes: export.* -------------------------------------------------------------
class ExportAsk(Struct, frozen=True, array_like=True):
    """export.ask: look at a place in an export of the asked host, or change it.

    `what` and what it takes in `numbers`, `text` and `other` (a second place): `files.exports`.
    `follow`: a symbolic link in last place is not what is meant.
    """

    what: str
    export: str
    place: list[bytes]
    follow: bool = True
    numbers: list[int] = field(default_factory=list)
    text: bytes = b""
    other: list[bytes] = field(default_factory=list)


class ExportOpen(Struct, frozen=True, array_like=True):
    """export.open; `handle` is the number of the opening, which the opener never uses again."""

    export: str
    place: list[bytes]
    flags: int
    mode: int
    handle: int


class ExportAnswer(Struct, frozen=True, array_like=True):
    """The answer of export.ask and export.open.

    `link`: a symbolic link stands at that position of the place (of the second with `second`), and
    nothing was done: whoever asked follows it, by what it says (`target`).
    """

    value: Any = None
    link: int = -1
    target: bytes = b""
    second: bool = False


# --- between Runtimes: chunk.* --------------------------------------------------------------
class ChunkList(Struct, frozen=True, array_like=True):
    """chunk.missing"""

    digests: list[bytes]


class ChunksHeld(Struct, frozen=True, array_like=True):
    """Answer of chunk.missing (those that are not there) and chunk.put (the names it gave).

    `promise`: under which the others, or these, are kept; see `state.names_chunks`.
    """

    digests: list[bytes]
    promise: int


class ChunkGet(Struct, frozen=True, array_like=True):
    """chunk.get"""

    digest: bytes


class ChunkPut(Struct, frozen=True, array_like=True):
    """chunk.put: contents; the receiver names them by their hash and answers the names."""

    contents: list[bytes]


class ChunkTake(Struct, frozen=True, array_like=True):
    """chunk.take: keep what comes by this stream of mine; answered, as chunk.put, at its end."""

    stream_id: bytes


class ChunkGive(Struct, frozen=True, array_like=True):
    """chunk.give: send these by this stream of mine, in this order."""

    stream_id: bytes
    digests: list[bytes]


class ChunkPull(Struct, frozen=True, array_like=True):
    """chunk.pull: fetch these from another host, for repair; what it has not, from those after."""

    digests: list[bytes]
    source: str
    others: list[str] = []


class ChunkLeftovers(Struct, frozen=True, array_like=True):
    """chunk.leftovers: how many there are, and bytes (`ChunkStore.leftovers`)."""

    remove: bool


class CollectList(Struct, frozen=True, array_like=True):
    """collect.list: the names of chunks that begin with this byte."""

    first: int


class CollectRemove(Struct, frozen=True, array_like=True):
    """collect.remove: these, which no file has; answers how many and how many bytes went."""

    number: int
    digests: list[bytes]


class CollectEnd(Struct, frozen=True, array_like=True):
    """collect.end"""

    number: int


# --- between Runtimes: streams --------------------------------------------------------------
class DeviceOpen(Struct, frozen=True, array_like=True):
    """device.open: connect a device of the receiver with a stream of the sender.

    `pid`: the process that opens it. `feed`: the sender reads for all its programs, and takes
    frames (`files.fanout`).
    """

    name: str
    flags: int
    stream: bytes
    pid: int = 0
    feed: bool = False


class DeviceAsk(Struct, frozen=True, array_like=True):
    """device.state: what the device's `host`, the receiver or another, has for its readers."""

    host: str
    name: str


class ReaderState(Struct, frozen=True, array_like=True):
    """What a reader of a device has had: `got` and `lost` readings; so many are `waiting`."""

    pid: int
    got: int
    lost: int
    waiting: int


class DeviceState(Struct, frozen=True, array_like=True):
    """Who has a device open at the receiver, and what came there.

    `ended`: how often the hardware went away while it was open. `hosts` have had readers.
    """

    kind: str
    mode: str
    exclusive: bool
    shared: bool
    openings: int
    readings: int
    bytes: int
    lost: int
    ended: int
    hosts: list[str]
    readers: list[ReaderState]


class DescriptorOpen(Struct, frozen=True, array_like=True):
    """descriptor.open: the same for /proc/PID/fd/N."""

    pid: int
    fd: int
    flags: int
    stream: bytes


# --- between Runtimes: agent.* --------------------------------------------------------------
class End(Struct, frozen=True, array_like=True):
    """Where one standard descriptor of an agent leads.

    kind: "null"; "closed" (a pipe nobody reads); "fd" (number: a descriptor held at this Runtime
    for the asker); "pipe" (number names a pipe between two agents of this host and of this
    launch); "stream" (key: the id of a stream to or from `host`; pid: the program there, which may
    move, 0: it is none); "file" (path, flags, mode in the tree); "dup" (number: 1 or 2); "tty" (the
    session's terminal at the receiver).
    """

    kind: str
    number: int = 0
    key: bytes = b""
    host: str = ""
    path: bytes = b""
    flags: int = 0
    mode: int = 0
    pid: int = 0


class Start(Struct, frozen=True):
    """One agent to start at the receiver.

    memory_bytes: the most it may have for data; 0: any. moves: it has to be able to move. image:
    the file whose state it goes on from; kept: then, what goes with each end.
    """

    pid: int
    ppid: int
    sid: int
    user: str
    interpreter: str
    argv: list[bytes]
    arguments: list[bytes]
    env: dict[bytes, bytes]
    cwd: Path
    ends: list[End]
    umask: int = 0o022
    ignored: list[int] = []
    attempt: int = 1
    memory_bytes: int = 0
    moves: bool = False
    image: Path = b""
    kept: list[KeptAhead] = []


class KeptAhead(Struct, frozen=True, array_like=True):
    """What goes with one end of a program that moves: data, and how much of the stream came before;
    of a file the position."""

    offset: int = 0
    data: bytes = b""


class OpenFile(Struct, frozen=True, array_like=True):
    """A file that a program which moves has open by a number; inode 0: not known. Without a path it
    is a copy of the number in `offset`."""

    number: int
    path: str
    offset: int
    flags: int
    inode: int


class MoveTake(Struct, frozen=True):
    """move.take: take in a program that left the sender as `attempt`, and say so in the log.

    stream: brings the image. kept: of each end of `start`; among these there is one more kind,
    "data": all input that there will be. files: what cannot open by itself what it had open.
    """

    start: Start
    attempt: int
    stream: bytes
    kept: list[KeptAhead]
    files: list[OpenFile] = []


class AskBusy(Struct, frozen=True):
    """agent.busy: what programs that can move take of the receiver's processors."""


class Busy(Struct, frozen=True, array_like=True):
    """A program, and how many cores it keeps busy."""

    pid: int
    cores: float


class SnapshotStand(Struct, frozen=True):
    """snapshot.stand: have a program stand, and take its state. name: of this attempt to do so."""

    pid: int
    attempt: int
    name: str


class SnapshotKeep(Struct, frozen=True):
    """snapshot.keep: have a program that stands go on, and write its state into a file of `user`.

    path: empty: its state is of no use. Answers the file's size, once it is durable.
    """

    pid: int
    name: str
    path: Path
    user: str


class Launch(Struct, frozen=True):
    """agent.launch: start the agents of one pipeline that were placed at the receiver.

    job: not 0 where they run at the session's terminal there, which was opened before.
    own: they run at the terminal of the program that starts them, and are of its job.
    """

    launch: bytes
    starts: list[Start]
    job: int = 0
    foreground: bool = False
    own: bool = False


class Started(Struct, frozen=True):
    """What became of one `Start`: errno 0, or why it ended at once with `status`."""

    pid: int
    errno: int = 0
    message: str = ""
    hint: str = ""
    status: int = 0


class Signal(Struct, frozen=True, array_like=True):
    """agent.signal; `group`: to the process group that the agent leads"""

    pid: int
    signal: int
    group: bool = False


class Descendants(Struct, frozen=True, array_like=True):
    """agent.descendants: what the native programs of the receiver have started; or one of them."""

    pid: int = 0


class OfProcess(Struct, frozen=True, array_like=True):
    """agent.facts: what the receiver knows of a process of its own"""

    pid: int


class ProcessFacts(Struct, frozen=True, array_like=True):
    """The answer: where it works in the tree; and its environment, each `NAME=value` and a zero."""

    cwd: Path
    environ: bytes


# --- between Runtimes: terminal.* -----------------------------------------------------------
class TerminalModes(Struct, frozen=True):
    """How a terminal is set up: struct winsize, the four flags of termios, its characters.

    locale: the variables by which an interpreter chooses its encodings.
    """

    size: bytes
    flags: list[int]
    characters: bytes
    locale: dict[bytes, bytes] = {}


class OpenTerminal(Struct, frozen=True):
    """terminal.open: make a session's terminal at the receiver, or see that it is there.

    keys, screen: the streams of what is typed and what is shown.
    """

    sid: int
    modes: TerminalModes
    keys: bytes
    screen: bytes


class AskTerminal(Struct, frozen=True, array_like=True):
    """terminal.ask: a request to the leader of a session's terminal; see docs/guest-protocol.md."""

    sid: int
    request: bytes


class Stopped(Struct, frozen=True, array_like=True):
    """terminal.stopped: a program was stopped by this signal; 0: it goes on."""

    pid: int
    signal: int


# --- between Runtimes: voter.* --------------------------------------------------------------
class PrepareVoter(Struct, frozen=True):
    """voter.prepare: start an empty server of a generation that is about to begin."""

    engine: EngineView
    pins: list[str]
    ca_key_pem: bytes


class AbandonVoter(Struct, frozen=True):
    """voter.abandon: that generation will not begin."""

    mark: str


# --- between Runtimes: join -----------------------------------------------------------------
class Hello(Struct, frozen=True):
    """join.hello: the answer to anybody: who we are and our CA."""

    network: str
    ca_pem: bytes
    host: str


class Join(Struct, frozen=True):
    """join.ask: a token's secret and a request for a certificate."""

    host: str
    secret: str
    request_pem: bytes
    facts: Facts


class Joined(Struct, frozen=True):
    """The answer of join.ask: a certificate, and the signed Boot Record."""

    certificate_pem: bytes
    boot_record: bytes
    ca_key_pem: bytes = b""


class Nothing(Struct, frozen=True):
    """A method without an argument."""
