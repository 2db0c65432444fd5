"""The names of the engine's subjects and streams, and how any text becomes part of one.

A subject is tokens joined by dots; spaces, control characters and wildcards mean something to the
server. So every name that comes from outside is encoded: letters, digits, `-` and `_` stand for
themselves, each other byte of its UTF-8 form is `%` and two hex digits. A topic's `/` becomes a
dot, so that MQTT clients see the same levels. Which subjects a host may use is decided in
`server_config`.
"""

import errno
import re

from oneos.errors import UserError
from oneos.limits import NAME_BYTES_MAX

INBOX = "_INBOX"

# A log's records are published under LOG, by author; what the log has taken comes out of the
# server again under LOGGED, which no host may publish to.
LOG = "oneos.log"
LOGGED = "oneos.logged"

TOPIC = "oneos.topic"
PUBLISHED = "oneos.published"
TOPIC_STREAM = "TOPICS"

SNAPSHOT_HEAD = "oneos.snapshot.head"
SNAPSHOT_PART = "oneos.snapshot.part"
SNAPSHOT_STREAM = "SNAPSHOTS"

# Copies of records keep their authors, so a copier needs a way in that is not an author's.
REPLAY = "oneos.replay"

BEAT = "oneos.beat"

# The server's management API. Edge hosts have no streams in their account, and the server answers
# the usual name with just that, so they reach it by another.
API = "$JS.API"
EDGE_API = "oneos.api"

WHO_AM_I = "$SYS.REQ.USER.INFO"
CORE_ACCOUNT = "CORE"

_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_EMPTY = "%"


def encode_token(text: str) -> str:
    """One token for any text; the empty text is `%`."""
    if not text:
        return _EMPTY
    return "".join(
        character
        if _PLAIN.match(character)
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
        for character in text
    )


def decode_token(token: str) -> str:
    """The text of a token made by `encode_token`; other tokens come back as they are read."""
    if token == _EMPTY:
        return ""
    if "%" not in token:
        return token
    raw = re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda match: bytes((int(match.group(1), 16),)),
        token.encode("utf-8", "surrogateescape"),
    )
    return raw.decode("utf-8", "surrogateescape")


def log_stream(log: str) -> str:
    """The stream of a log."""
    return "LOG_" + encode_token(log)


def log_subject(log: str, host: str) -> str:
    """Where `host` appends to a log."""
    return f"{LOG}.{encode_token(log)}.{encode_token(host)}"


def author_of(subject: str) -> str:
    """The host that appended, from the subject of a record."""
    return decode_token(subject.rsplit(".", 1)[1])


def topic_tokens(topic: str) -> str:
    """A topic's name as the last tokens of a subject.

    Raises:
        UserError: it is empty, holds a NUL, or is longer than NAME_BYTES_MAX bytes.
    """
    if not topic or "\0" in topic:
        raise UserError(f"{topic!r} is not the name of a topic", hint="any text without NUL")
    if len(topic.encode("utf-8", "surrogateescape")) > NAME_BYTES_MAX:
        raise UserError(
            f"the name of the topic is longer than {NAME_BYTES_MAX} bytes",
            errno=errno.ENAMETOOLONG,
        )
    return ".".join(encode_token(part) for part in topic.split("/"))


def topic_of(subject: str, prefix: str = TOPIC) -> str:
    """The topic whose records have this subject."""
    return "/".join(decode_token(token) for token in subject[len(prefix) + 1 :].split("."))
