"""Every bound of the system, with its reason. Units stand last in a name."""

# --- messages -------------------------------------------------------------------------------
FRAME_BYTES_MAX = 8 * 1024 * 1024
"""One control message. Above any listing of 100,000 names in pages; below what hurts a small host."""

MAILBOX_MESSAGES_MAX = 1024
"""One second of a 1 kHz sensor; beyond it the sender waits."""

CALLS_IN_FLIGHT_MAX = 1024
"""Unanswered calls on one link; more would only queue at the other end."""

CALL_TIMEOUT_S = 15.0
"""Longer than the 4 to 9 s a voter leader's crash stops the log for (measured), so that a
fail-over is waited out and not reported as an error."""

SERVICE_RETRY_S = 0.25
"""Between two looks for the new holder of a Kernel Agent; news from the log comes sooner."""

CONNECT_TIMEOUT_S = 3.0
"""A host on a LAN answers in milliseconds; 3 s also covers one lost SYN and its repeat."""

ANSWERS_PENDING_MAX = 512
"""Answers one actor may owe while it handles further messages."""

RESTART_WAIT_FIRST_S = 0.1
RESTART_WAIT_MAX_S = 10.0
"""An actor that fails is started again after 0.1 s, then twice as long each time, up to 10 s."""

# --- streams --------------------------------------------------------------------------------
STREAM_BUFFER_BYTES = 256 * 1024
"""One read of a pump. From 256 KiB on the cost of a call no longer shows in throughput."""

PIPE_BYTES = 1024 * 1024
"""F_SETPIPE_SZ for pipes that a pump serves: the largest an ordinary user may set."""

STREAMS_MAX = 256
"""Streams between hosts at one Runtime: each costs a thread and two buffers."""

RENDEZVOUS_S = 30.0
"""How long one end of a pipe between hosts waits for the other to appear."""

# --- storage --------------------------------------------------------------------------------
CHUNK_BYTES = 1024 * 1024
"""A file at rest is cut into pieces of this size: 1 GiB makes a list of 1,024 hashes (32 KiB)."""

COPIES_DEFAULT = 2
"""Hosts that hold each chunk, where there are that many: one may be lost."""

NAME_BYTES_MAX = 255
PATH_BYTES_MAX = 4096
"""As Linux: NAME_MAX and PATH_MAX."""

# --- log and membership ---------------------------------------------------------------------
BATCH_COMMANDS_MAX = 256
"""Commands in one log record: keeps a record well below the engine's 1 MiB message."""

APPEND_RETRIES_MAX = 8
"""Attempts at a fenced append before the caller is told that the log is too busy."""

HEARTBEAT_INTERVAL_S = 1.0
SUSPECT_AFTER_S = 4.0
"""Four heartbeats missed, and a call that fails, make a host suspected; only the log declares it
dead."""

EXITED_KEPT_MAX = 256
"""Ended processes the table keeps for `ps` and late waiters; the oldest go first."""

CONTROL_RECORD_IDS_MAX = 1024
"""Record ids remembered to drop repeats: more than may be in flight at a fail-over."""

TOKENS_MAX = 256
"""Open join tokens; each waits for one host."""

TOKEN_LIFE_S = 24 * 3600
"""A token printed today still works when the box arrives at its place."""

SNAPSHOT_EVERY_RECORDS = 5_000
"""The control log is compacted this often; a follower that starts replays at most this many."""

# --- local protocol --------------------------------------------------------------------------
LOCAL_CONNECTIONS_MAX = 4096
"""Connections of programs and clients to one Runtime: several a program, AGENTS_MAX programs."""

LOCAL_FDS_MAX = 32
"""Descriptors with one request: a pipeline of ten stages with streams of its own."""

# --- processes ------------------------------------------------------------------------------
AGENTS_MAX = 512
"""Agents on one host; each is an OS process."""

KILL_GRACE_S = 2.0
"""Between SIGTERM and SIGKILL when a Runtime stops with agents still running."""
