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

    `block` says which numbers its kernel gives; see `pids.py`.
    """

    name: HostName
    facts: Facts
    incarnation: Incarnation
    state: str
    since_ns: int
    block: int = NO_BLOCK


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


class Process(Struct, frozen=True):
    """An entry of the process table. `state` is "running" or "ended"; `status` as in sh."""

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
    """One program of a `Spawn`."""

    host: HostName
    incarnation: Incarnation
    argv: list[bytes]
    cwd: bytes
    context: str = CONTEXT_DEFAULT


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


class Ended(Struct, frozen=True, tag="ended"):
    """Programs of one host have ended: [pid, status] each."""

    host: HostName
    incarnation: Incarnation
    statuses: list[tuple[Pid, int]]
    now_ns: int


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
