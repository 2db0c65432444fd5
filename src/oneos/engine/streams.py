"""Streams of the engine: the few calls of its management API that are used, and reading by number.

A stream is a numbered sequence of messages that most voters have on disk (or in memory). Creating,
changing and emptying one is for core hosts; asking about one and reading it is for every host.
Reads by `fetch` come from whichever replica is near and hold only what was agreed on, though maybe
not yet the newest; `info` and `get` ask the leader. What the messages mean is left to `log`,
`topics` and `snapshots`.
"""

import asyncio
import errno
import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nats.aio.msg import Msg

from oneos.engine.client import Engine
from oneos.errors import NetworkError, Unknown
from oneos.limits import (
    CALL_TIMEOUT_S,
    ENGINE_API_ATTEMPT_S,
    ENGINE_API_RETRY_S,
    ENGINE_PLACES_TIMEOUT_S,
    FETCH_BYTES,
    FETCH_MESSAGES,
    FETCH_TIMEOUT_S,
    LOG_APPEND_ATTEMPT_S,
)

STREAM_NOT_FOUND = 10059
MESSAGE_NOT_FOUND = 10037
WRONG_LAST_SEQUENCE = (10071, 10164)
DUPLICATE_IN_PROGRESS = 10158


class ApiError(NetworkError):
    """The engine refused a call. `code` is the server's own number for the reason."""

    def __init__(self, what: str, error: Mapping[str, Any]) -> None:
        self.code = int(error.get("err_code", 0))
        # 503 of the API: no leader, or not enough voters, for now.
        self.temporary = int(error.get("code", 0)) >= 500
        super().__init__(
            f"the engine refused {what}: {error.get('description', 'no reason')}",
            errno=errno.EAGAIN if self.temporary else errno.EIO,
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """A message of a stream.

    Attributes:
        previous: where the last message before it on its subject is, if the server said so.
    """

    seq: int
    subject: str
    headers: Mapping[str, str]
    data: bytes
    previous: int = 0


@dataclass(frozen=True)
class Info:
    """A stream as its leader sees it. With no messages, `first_seq` is `last_seq + 1`."""

    config: Mapping[str, Any]
    first_seq: int
    last_seq: int
    messages: int
    subjects: Mapping[str, int]
    leader: str
    replicas_current: int


async def call(
    engine: Engine,
    name: str,
    body: Mapping[str, Any] | None = None,
    *,
    timeout_s: float = CALL_TIMEOUT_S,
) -> dict[str, Any]:
    """Call the engine's management API, again while it is only unavailable for now.

    All calls used here may be repeated without harm.

    Raises:
        ApiError: the engine refused, for a reason that stays.
        NetworkError, Unknown: it could not be reached, or did not answer in time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    payload = json.dumps(body).encode() if body is not None else b""
    while True:
        left = max(deadline - loop.time(), 0.001)
        failure: NetworkError | Unknown
        try:
            message = await engine.request(
                f"{engine.api}.{name}", payload, timeout_s=min(left, ENGINE_API_ATTEMPT_S)
            )
            answer: dict[str, Any] = json.loads(message.data)
            if "error" not in answer:
                return answer
            refusal = ApiError(name, answer["error"])
            if not refusal.temporary:
                raise refusal
            failure = refusal
        except Unknown as error:
            failure = error
        except NetworkError as error:
            # A connection that ended is made again; a refusal or a stranger is not.
            if type(error) is not NetworkError:
                raise
            failure = error
        if deadline - loop.time() < ENGINE_API_RETRY_S:
            raise failure
        await asyncio.sleep(ENGINE_API_RETRY_S)


async def insist(
    engine: Engine,
    subject: str,
    data: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = ENGINE_PLACES_TIMEOUT_S,
) -> dict[str, Any]:
    """Send a stream a message that does no harm twice, again until there is an answer to it.

    What was on its way to a voter that was lost is answered by nobody, so no attempt takes long.

    Returns:
        The stream's answer; with "error" where it refused.

    Raises:
        NetworkError, Unknown: there was no answer in time.
        AuthError, UserError: this host may not send it, or it is too large.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    unknown: Unknown | None = None
    while True:
        left = max(deadline - loop.time(), 0.001)
        try:
            message = await engine.request(
                subject, data, headers=headers, timeout_s=min(left, LOG_APPEND_ATTEMPT_S)
            )
            answer: dict[str, Any] = json.loads(message.data)
            return answer
        except Unknown as error:
            failure: NetworkError | Unknown = error
            unknown = error
        except NetworkError as error:
            if type(error) is not NetworkError or engine.closed:
                raise
            # An earlier attempt may have been taken all the same.
            failure = unknown or error
        if deadline - loop.time() < ENGINE_API_RETRY_S:
            raise failure
        await asyncio.sleep(ENGINE_API_RETRY_S)


async def ready(engine: Engine, timeout_s: float = CALL_TIMEOUT_S) -> None:
    """Wait until streams can be created: at once with one voter, after an election with several.

    For core hosts.

    Raises:
        NetworkError, Unknown: it did not come to that in time.
    """
    await call(engine, "INFO", timeout_s=timeout_s)


async def info(
    engine: Engine, stream: str, *, subjects: str = "", timeout_s: float = CALL_TIMEOUT_S
) -> Info:
    """Ask the leader about a stream.

    Args:
        subjects: list the stored subjects that match this, with their counts.

    Raises:
        ApiError: with STREAM_NOT_FOUND, among others.
    """
    body = {"subjects_filter": subjects} if subjects else None
    answer = await call(engine, f"STREAM.INFO.{stream}", body, timeout_s=timeout_s)
    state = answer["state"]
    cluster = answer.get("cluster") or {}
    others = [peer for peer in cluster.get("replicas") or () if peer.get("current")]
    return Info(
        config=answer["config"],
        # An emptied stream keeps its number, and a fresh one says 0.
        first_seq=max(int(state["first_seq"]), 1),
        last_seq=int(state["last_seq"]),
        messages=int(state["messages"]),
        subjects=state.get("subjects") or {},
        leader=cluster.get("leader", ""),
        replicas_current=len(others) + 1,
    )


async def present(engine: Engine, stream: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
    """Wait until a stream that was made earlier is there.

    Voters that start again elect a leader first and learn of their streams from its log only then:
    for some moments they answer truthfully that there is none.

    Raises:
        ApiError: with STREAM_NOT_FOUND, when it is still not there.
        NetworkError, Unknown: the engine could not be reached, or did not answer in time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        try:
            await info(engine, stream, timeout_s=max(deadline - loop.time(), 0.001))
            return
        except (NetworkError, Unknown) as error:
            # Voters that come up one after the other also end connections they have just taken.
            lasting = isinstance(error, ApiError) and error.code != STREAM_NOT_FOUND
            if lasting or loop.time() > deadline:
                raise
        await asyncio.sleep(ENGINE_API_RETRY_S)


async def ensure(
    engine: Engine, config: Mapping[str, Any], settings: Sequence[str] = ("num_replicas",)
) -> None:
    """Create a stream, or change some settings of one that exists. For core hosts.

    Args:
        config: the stream as it should be.
        settings: what of it is changed where the stream exists.
    """
    name = config["name"]
    try:
        present = await info(engine, name)
    except ApiError as error:
        if error.code != STREAM_NOT_FOUND:
            raise
        await call(engine, f"STREAM.CREATE.{name}", config)
        return
    changes = {key: config[key] for key in settings if present.config[key] != config[key]}
    if changes:
        await call(engine, f"STREAM.UPDATE.{name}", {**present.config, **changes})


async def purge(engine: Engine, stream: str, **what: Any) -> int:
    """Remove messages: before `seq`, of the subjects `filter`. Returns their count."""
    answer = await call(engine, f"STREAM.PURGE.{stream}", what)
    return int(answer.get("purged", 0))


async def get(engine: Engine, stream: str, **what: Any) -> Stored | None:
    """One message from the leader, by `seq` or the newest by `last_by_subj`; None if not there."""
    try:
        answer = await call(engine, f"STREAM.MSG.GET.{stream}", what)
    except ApiError as error:
        if error.code == MESSAGE_NOT_FOUND:
            return None
        raise
    message = answer["message"]
    return Stored(
        seq=int(message["seq"]),
        subject=message["subject"],
        headers=_headers(b64decode(message.get("hdrs") or "")),
        data=b64decode(message.get("data") or ""),
    )


async def fetch(
    engine: Engine,
    stream: str,
    seq: int,
    *,
    only: str = "",
    messages_max: int = FETCH_MESSAGES,
    bytes_max: int = FETCH_BYTES,
) -> list[Stored]:
    """Read messages in order, from the one at `seq` or the first after it.

    Args:
        only: a subject (wildcards allowed) that they must match.
        messages_max, bytes_max: how much at most; one message comes even if it is larger.

    Returns:
        A run of neighbours without gap, empty when this replica has none so far.

    Raises:
        NetworkError: the stream has no servers now, or there is no connection.
        Unknown: a server began, and did not go on.
    """
    body: dict[str, Any] = {"seq": max(seq, 1), "batch": messages_max, "max_bytes": bytes_max}
    if only:
        body["next_by_subj"] = only
    loop = asyncio.get_running_loop()
    found: list[Stored] = []
    ended: asyncio.Future[str] = loop.create_future()
    progress = loop.time()

    def take(message: Msg) -> None:
        nonlocal progress
        progress = loop.time()
        headers = message.headers or {}
        status = headers.get("Status")
        if status is None:
            found.append(live(message, headers))
        elif not ended.done():
            ended.set_result(status)

    with engine.reply_to(take) as reply:
        await engine.wait_connected(FETCH_TIMEOUT_S)
        connection = engine.connections
        await engine.publish(
            f"{engine.api}.DIRECT.GET.{stream}", json.dumps(body).encode(), reply=reply
        )
        while not ended.done():
            await asyncio.wait((ended,), timeout=FETCH_TIMEOUT_S)
            silent = loop.time() - progress >= FETCH_TIMEOUT_S
            if not ended.done() and (silent or engine.connections != connection):
                break
    status = ended.result() if ended.done() else ""
    if status == "503":
        raise NetworkError(f"no server of the engine has {stream} now")
    if not status and not found:
        engine.strike()
        raise Unknown(f"reading {stream} did not go on", errno=errno.ETIMEDOUT)
    return found


def live(message: Msg, headers: Mapping[str, str]) -> Stored:
    """A message that the server sent out of a stream, with its number."""
    return Stored(
        seq=int(headers["Nats-Sequence"]),
        subject=headers["Nats-Subject"],
        headers=headers,
        data=message.data,
        previous=int(headers.get("Nats-Last-Sequence") or 0),
    )


def _headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in block.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.decode()] = value.strip().decode("utf-8", "replace")
    return headers
