"""What the control log agrees on: the records of its state and the commands that change it.

Everything here is data. Times are nanoseconds since the epoch and come in with the commands, from
the clock of whoever appended them: they are shown to people and never decide anything.
"""

from __future__ import annotations

from msgspec import Struct, field

from oneos.ids import Epoch, HostName, Incarnation, Pid, ServiceName, SessionId
from oneos.state.pids import NO_BLOCK

SERVICES = ("pubsub", "scheduler", "session", "filesystem", "storage")


class Device(Struct, frozen=True, array_like=True):
    """A device as its host announces it. `mode` is "r", "w" or "rw".

    `shared`: a host that reads it does so once for all its programs.
    """

    name: str
    kind: str
    mode: str
    shared: bool = False


class Facts(Struct, frozen=True):
    """What a host says of itself each time it arrives."""

    address: str
    port: int
    engine_port: int
    cluster_port: int
    core: bool
    tags: list[str] = field(default_factory=list)
    cores: int = 1
    memory_bytes: int = 0
    version: str = ""
    key_pin: str = ""
    interpreters: dict[str, str] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)
    context: str = "auto"


class Member(Struct, frozen=True):
    """A host of the network. `state` is "admitted", "alive", "dead" or "left".

    `block` says which numbers its kernel gives; see `pids.py`. `draining`: no program is placed
    there, until somebody says otherwise.
    """

    name: HostName
    facts: Facts
    incarnation: Incarnation
    state: str
    since_ns: int
    block: int = NO_BLOCK
    draining: bool = False


class Placement(Struct, frozen=True):
    """Who runs a Kernel Agent. `host` is "" while no host may; each new holder has a new epoch."""

    service: ServiceName
    host: HostName
    epoch: Epoch


class ServiceRule(Struct, frozen=True):
    """What the Initialization Manifest says of one service.

    `hosts` is "core", "any", "tag:NAME" or a list of host names.
    """

    name: ServiceName
    hosts: str | list[str]


CONTEXT_DEFAULT = "instrumented"
"""How a program is made to see the tree: so, or by a "namespace". Records before there were two
say nothing."""


def context_of(interpreter: str, context: str) -> str:
    """How a host whose configuration says `context` makes a program see the tree."""
    chosen = context == "namespace" and interpreter in ("python", "node")
    return "namespace" if chosen or interpreter == "native" else CONTEXT_DEFAULT


class Near(Struct, frozen=True, array_like=True):
    """Input of a program: how many bytes, and the hosts that have them."""

    hosts: list[HostName]
    bytes: int


class Demands(Struct, frozen=True):
    """What a program asks of the host that it runs on.

    Args:
        interpreter: "python", "node" or "native".
        on: constraints, as `on` takes them; all have to hold.
        cores: of the host's, for it alone while it runs; 0: what is left.
        memory_bytes: likewise, and the most that it may have for data.
        near: where its input is.
        moves: it has to be able to move.
    """

    interpreter: str
    on: list[str] = field(default_factory=list)
    cores: float = 0.0
    memory_bytes: int = 0
    near: list[Near] = field(default_factory=list)
    moves: bool = False


class Policy(Struct, frozen=True):
    """What becomes of a program that has ended.

    `restart` is "never", "on-failure" or "always". It is given up when it has been started again
    `restarts_max` times within `window_s`. With `checkpoint_s` its state is kept so often, and it
    goes on from there when its host dies.
    """

    restart: str = "never"
    restarts_max: int = 5
    window_s: float = 60.0
    checkpoint_s: float = 0.0


class Stream(Struct, frozen=True, array_like=True):
    """A standard descriptor that any host can open: "null", "file" (path, flags, mode), "dup" (of
    that number), "log" (the file that the network keeps of the program's output), or "pipe" (to
    that of its group which has one of the same number the other way)."""

    kind: str
    number: int = 0
    path: bytes = b""
    flags: int = 0
    mode: int = 0


class Template(Struct, frozen=True):
    """All that a host needs to start a program, with nobody's terminal or descriptors in it.

    `key`: what the names of its group's streams are made of.
    """

    arguments: list[bytes]
    env: dict[bytes, bytes]
    streams: list[Stream]
    umask: int = 0o022
    policy: Policy = Policy()
    key: bytes = b""


class Process(Struct, frozen=True):
    """An entry of the process table. `state` is "waiting", "running" or "ended".

    Args:
        status: as in sh, once it has ended.
        reason: why it waits or has ended, where its own doing does not say.
        demands: what it asks of a host; None of what another program started.
        template: what it is started from; None where whoever asked for it launches it. Of one that
            has ended: the others of its group run, and may take it back with them.
        attempt: how often it has been placed.
        ends: how often it has ended by itself and was to be started again.
        last_status: of the attempt before.
        moving: it is to end here, and to be started elsewhere.
        target, target_incarnation: the host that it is on its way to with its state; "" for none.
        wait_s: how long a point is looked for where it can go; 0: as usual.
        why: why it is where it is, a line each.
        group: the first of those that are placed together with it. Those that the network starts by
            itself also fall back together.
        asker, asker_incarnation: the host that launches it.
        checkpoint: what it goes on from when it is started again; "" for its beginning.
        round: how often its group has fallen back: streams are of one round.
        back: it is to end at once, and to fall back with its group.
    """

    pid: Pid
    ppid: Pid
    sid: SessionId
    user: str
    host: HostName
    incarnation: Incarnation
    argv: list[bytes]
    cwd: bytes
    started_ns: int
    state: str = "running"
    status: int | None = None
    ended_ns: int = 0
    reason: str = ""
    context: str = CONTEXT_DEFAULT
    demands: Demands | None = None
    template: Template | None = None
    attempt: int = 1
    ends: int = 0
    last_status: int | None = None
    moving: bool = False
    target: HostName = HostName("")
    target_incarnation: Incarnation = Incarnation(0)
    why: list[str] = field(default_factory=list)
    group: Pid = Pid(0)
    asker: HostName = HostName("")
    asker_incarnation: Incarnation = Incarnation(0)
    checkpoint: str = ""
    round: int = 0
    back: bool = False
    wait_s: float = 0.0


class Session(Struct, frozen=True):
    """A user's login at a host."""

    sid: SessionId
    user: str
    host: HostName
    incarnation: Incarnation
    started_ns: int


class JoinToken(Struct, frozen=True):
    """A secret that lets one host in, once. Only its hash is kept."""

    expires_ns: int
    used_by: str = ""


class Voter(Struct, frozen=True, array_like=True):
    """Where one voter of the engine listens."""

    name: HostName
    address: str
    client_port: int
    cluster_port: int


class EngineView(Struct, frozen=True):
    """Which servers carry the logs. A change of voters makes a new generation.

    `mark` is different for each attempt to make a generation, so that no server's name is ever
    used twice.
    """

    generation: int
    voters: list[Voter]
    mark: str = ""


# --- commands -----------------------------------------------------------------------------------
class Found(Struct, frozen=True, tag="found"):
    """The first record of a network."""

    network: str
    rules: list[ServiceRule]
    manifest: str
    engine: EngineView
    host: HostName
    facts: Facts
    now_ns: int


class AddToken(Struct, frozen=True, tag="add-token"):
    secret_hash: str
    expires_ns: int
    now_ns: int


class Admit(Struct, frozen=True, tag="admit"):
    """A host shows a token: it becomes a member that has not arrived yet."""

    host: HostName
    secret_hash: str
    facts: Facts
    now_ns: int


class Arrive(Struct, frozen=True, tag="arrive"):
    """A Runtime has started: a new incarnation of its host. Answers the incarnation.

    `numbers`: it wants a block of numbers for what its programs start, and keeps it until it is
    struck off. Records before there were blocks do not.
    """

    host: HostName
    facts: Facts
    now_ns: int
    numbers: bool = False


class Depart(Struct, frozen=True, tag="depart"):
    """A Runtime stops in good order."""

    host: HostName
    incarnation: Incarnation
    now_ns: int


class DeclareDead(Struct, frozen=True, tag="declare-dead"):
    """A suspected host is given up. Fenced by the incarnation that was suspected."""

    host: HostName
    incarnation: Incarnation
    reason: str
    now_ns: int


class Forget(Struct, frozen=True, tag="forget"):
    """A host that left or died is struck off; its name may be used anew."""

    host: HostName
    now_ns: int


class Place(Struct, frozen=True, tag="place"):
    """Move a Kernel Agent, if it is still where the caller saw it."""

    service: ServiceName
    host: HostName
    expect_epoch: Epoch


class OpenSession(Struct, frozen=True, tag="open-session"):
    user: str
    host: HostName
    incarnation: Incarnation
    now_ns: int


class CloseSession(Struct, frozen=True, tag="close-session"):
    sid: SessionId


class NewProcess(Struct, frozen=True):
    """One program of a `Spawn`. Without a host it waits for `Assign`, and `why` says for what."""

    host: HostName
    incarnation: Incarnation
    argv: list[bytes]
    cwd: bytes
    context: str = CONTEXT_DEFAULT
    why: list[str] = field(default_factory=list)
    demands: Demands | None = None
    template: Template | None = None


class Spawn(Struct, frozen=True, tag="spawn"):
    """Enter programs into the table. Fenced by the Scheduler's epoch. Answers their PIDs.

    `bounded`: the PIDs are free ones below a bound, as `pids.py` has it. Records before there was
    one count on.
    """

    epoch: Epoch
    sid: SessionId
    ppid: Pid
    user: str
    programs: list[NewProcess]
    now_ns: int
    bounded: bool = False
    asker: HostName = HostName("")
    asker_incarnation: Incarnation = Incarnation(0)


class Assigned(Struct, frozen=True):
    """Where a program that waits goes. `attempt`: the one that was decided on."""

    pid: Pid
    attempt: int
    host: HostName
    incarnation: Incarnation
    context: str
    why: list[str]


class Assign(Struct, frozen=True, tag="assign"):
    """Place programs that wait, all or none. Fenced by the Scheduler's epoch and the attempts."""

    epoch: Epoch
    programs: list[Assigned]
    now_ns: int


class Postpone(Struct, frozen=True, tag="postpone"):
    """Say why a program waits. Fenced as `Assign`."""

    epoch: Epoch
    pid: Pid
    attempt: int
    reason: str


class Evict(Struct, frozen=True, tag="evict"):
    """Have a program that can be started anew end where it is, to go elsewhere. Fenced likewise."""

    epoch: Epoch
    pid: Pid
    attempt: int


class Move(Struct, frozen=True, tag="move"):
    """Have a program go to another host with its state. Fenced likewise.

    `wait_s`: how long a point is looked for where it can; 0: as usual.
    """

    epoch: Epoch
    pid: Pid
    attempt: int
    host: HostName
    incarnation: Incarnation
    wait_s: float = 0.0


class Moved(Struct, frozen=True, tag="moved"):
    """A program is at its target, whole: from here on it runs there, and nowhere else.

    Said by the target before it lets the program go on, and fenced by the attempt that it left.
    """

    host: HostName
    incarnation: Incarnation
    pid: Pid
    attempt: int
    context: str
    now_ns: int


class Stayed(Struct, frozen=True, tag="stayed"):
    """A program does not move after all, and `reason` says why. Fenced as `Moved`."""

    pid: Pid
    attempt: int
    reason: str


class Checkpointed(Struct, frozen=True, tag="checkpointed"):
    """The states of a whole group at one moment are kept under a name, on as many hosts as files
    are. Fenced by the attempts: all of the group are those that the states are of."""

    checkpoint: str
    programs: list[tuple[Pid, int]]


class Release(Struct, frozen=True, tag="release"):
    """Do not start a program again. One that waits has ended, with this status.

    Fenced by the attempt; -1: whichever it is.
    """

    pid: Pid
    attempt: int
    status: int
    reason: str
    now_ns: int


class Drain(Struct, frozen=True, tag="drain"):
    """Place no more programs on a host; or do so again."""

    member: HostName
    on: bool


class Ended(Struct, frozen=True, tag="ended"):
    """Programs of one host have ended: [pid, status] each, and which attempts those were.

    Records from before programs were started again name no attempt.
    """

    host: HostName
    incarnation: Incarnation
    statuses: list[tuple[Pid, int]]
    now_ns: int
    attempts: list[int] = field(default_factory=list)


class Become(Struct, frozen=True, tag="become"):
    """A program of a host has become another one, under the same PID: exec."""

    host: HostName
    incarnation: Incarnation
    pid: Pid
    argv: list[bytes]
    cwd: bytes


class Freeze(Struct, frozen=True, tag="freeze"):
    """Stop every other command, because the logs move to new servers."""

    generation: int
    by: HostName


class Thaw(Struct, frozen=True, tag="thaw"):
    """Go on: on the new servers when `engine` is given, on the old ones otherwise."""

    generation: int
    engine: EngineView | None


class Nothing(Struct, frozen=True, tag="nothing"):
    """Changes nothing; its place in the log is the answer to a linearizable read."""


Command = (
    Found
    | AddToken
    | Admit
    | Arrive
    | Depart
    | DeclareDead
    | Forget
    | Place
    | OpenSession
    | CloseSession
    | Spawn
    | Assign
    | Postpone
    | Evict
    | Checkpointed
    | Move
    | Moved
    | Stayed
    | Release
    | Drain
    | Ended
    | Become
    | Freeze
    | Thaw
    | Nothing
)


class Record(Struct, frozen=True):
    """One entry of the control log. `id` is unique: a record seen before changes nothing."""

    id: str
    command: Command


class Result(Struct, frozen=True):
    """What applying a command gave: an errno with a message, or 0 and a value."""

    errno: int = 0
    message: str = ""
    value: int | list[int] | str | None = None


def refuse(code: int, message: str) -> Result:
    """What a command that may not be gives."""
    return Result(errno=code, message=message)
