"""Every bound of the system, with its reason. Units stand last in a name."""

# --- messages -------------------------------------------------------------------------------
FRAME_BYTES_MAX = 8 * 1024 * 1024
"""One control message. Above any page of a listing; below what hurts a small host."""

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

TOPIC_LINE_BYTES_MAX = 512 * 1024
"""One record of a topic: what one message of the engine holds with room to spare."""

RENDEZVOUS_S = 30.0
"""How long one end of a pipe between hosts waits for the other to appear."""

# --- storage --------------------------------------------------------------------------------
CHUNK_BYTES = 1024 * 1024
"""A file at rest is cut into pieces of this size: 1 GiB makes a list of 1,024 hashes (32 KiB)."""

COPIES_DEFAULT = 2
"""Hosts that hold each chunk, where there are that many: one may be lost."""

CHUNK_PUT_BYTES_MAX = 4 * 1024 * 1024
"""Contents in one chunk.put: half a frame, so that a batch of small chunks shares one sync."""

CHUNKS_AHEAD_CALL_BYTES = 1024 * 1024
CHUNKS_AHEAD_BYTES_MAX = 4 * 1024 * 1024
"""Contents on their way to other hosts while the disk here takes them, for each commit: four calls,
of which some are on the wire while the other host's disk takes others. Whoever cuts waits then.
Larger calls made nothing quicker, and took 20 MB more of memory (measured)."""

CHUNKS_AHEAD_STREAM_FROM = 4 * 1024 * 1024
"""What is new of a file beyond this goes by a stream: its handshake takes two hosts 5 ms, a call
for a chunk costs them 3 ms more than a stream's share of it."""

CHUNK_TIMEOUT_S = 10.0
"""For one chunk between hosts: 4 MiB over a 10 Mbit/s link takes 3.4 s."""

READ_BYTES_MAX = 1024 * 1024
"""One read of a file in use at another host."""

OPEN_RETRY_S = 0.05
"""Between two looks for a file's home while it moves: a log append takes 1 to 2 ms, so one look
more nearly always suffices."""

HOME_HANDLES_MAX = 65_536
"""Openings by other hosts of files at home here; each holds a descriptor."""

ORPHANS_WAIT_S = 0.1
"""From a file's last unlink until its home drops the content: whoever removes a directory full of
files pays one record for each name, and these are dropped together."""

CLOSE_LATE_S = 0.06
"""From the last close of a file that a name space's program has written until the log notes that
nobody writes it: longer than CUT_SETTLED_NS, so that a second write within one tick of the clock
shows; programs that write many files pay one record for each, and these go together."""

NAME_BYTES_MAX = 255
PATH_BYTES_MAX = 4096
"""As Linux: NAME_MAX and PATH_MAX."""

LINK_TARGET_BYTES_MAX = PATH_BYTES_MAX - 1
"""What a symbolic link may say: a path, without the byte 0 that PATH_MAX counts."""

LINKS_FOLLOWED_MAX = 40
"""Symbolic links followed on the way of one path, as Linux's MAXSYMLINKS; one more is ELOOP."""

XATTR_NAME_BYTES_MAX = 255
XATTR_VALUE_BYTES_MAX = 64 * 1024
XATTR_LIST_BYTES_MAX = 64 * 1024
"""Of one extended attribute, and of the names of a file's together, each with its byte 0: as Linux,
whose kernel could not pass on more."""

XATTR_FILE_BYTES_MAX = 128 * 1024
"""Names and values of one file's extended attributes together: the largest value, and as much again
for others. They are read and written as one, and each host with the index has them on its disk."""

FILE_NAMES_MAX = 65_000
"""Names that one file may have, as ext4: beyond it link is EMLINK. It bounds nothing of ours; a
program that makes more has lost its way."""

ASYNC_COMMIT_S = 0.3
"""From a close in an `async` directory until its commit begins: a third of the second within which
all is committed, so that many files share a record and what is removed soon is never committed."""

ASYNC_CLOSED_MAX = 1_024
"""Files of a host that were closed and are not committed yet; the next close waits for its own
commit. So many small ones are committed within the second, at 0.5 ms each."""

GROUP_WAIT_S = 0.5
"""That a commit waits for others to go with: a group takes some 10 ms, on a busy machine many times
that; beyond, something hangs that need not concern it."""

SPARES_MAX = 64
"""Empty files made ahead in each of two directories: made anew in less time than half as many
commits take, and nothing next to what a disk has of them."""

SMALL_FILE_BYTES_MAX = 64 * 1024
"""Of a file that is committed with others: longer ones gain nothing by it."""

ASYNC_RETRY_S = 1.0
"""Until a commit of a closed file that failed is tried again: a disk that is full, hosts that are
away."""

EARLY_HOLD_S = 0.02
"""From a change that the File System answers before the log has it until it appends it by itself:
any other change takes it along at once. With the File System's host so much may be lost of what an
`async` directory was told, and no more."""

EARLY_LAST_S = 2.0
"""That a File System which stops waits for the log to take them: one append, with a busy disk."""

EARLY_MAX = 128
"""Changes answered early that one record carries: with as many others it is a full one. So many
numbers of files are left out when another host takes over."""

STORAGE_RULES_LOOK_S = 2.0
"""Between two looks at /etc/oneos/storage.toml: one request of 0.3 ms each."""

STORAGE_RULES_BYTES_MAX = 64 * 1024
"""Of /etc/oneos/storage.toml: within the one chunk that is read of it."""

STORAGE_RULES_MAX = 256
"""Directories with rules of their own: more than a person keeps in mind."""

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

TEMPLATES_MAX = 1024
"""Programs that the network starts again: the control state has what each is started from, up to
TEMPLATE_BYTES_MAX, and every host keeps it all in memory."""

TEMPLATE_BYTES_MAX = 16 * 1024
"""Arguments, environment and paths of one of them."""

CONTROL_RECORD_IDS_MAX = 1024
"""Record ids remembered to drop repeats: more than may be in flight at a fail-over."""

TOKENS_MAX = 256
"""Open join tokens; each waits for one host."""

TOKEN_LIFE_S = 24 * 3600
"""A token printed today still works when the box arrives at its place."""

GROWTH_TIMEOUT_S = 60.0
"""For a change of voters: new servers, an election, and a copy of the logs. 5.5 s were measured
for small logs; a freeze older than this is lifted."""

OLD_VOTERS_LINGER_S = 10.0
"""Old servers stay this long after a change of voters, for hosts that read slowly."""

STATUS_TIMEOUT_S = 2.0
"""For a look at the network, which must work best when the network is not well."""

BEAT_PROBE_S = 2.0
"""For a suspected host to answer a direct question before it is declared dead."""

SNAPSHOT_EVERY_RECORDS = 5_000
"""The control log is compacted this often; a follower that starts replays at most this many."""

# --- local protocol --------------------------------------------------------------------------
REQUESTS_IN_A_ROW_MAX = 16
"""Requests of one connection that are handled, where none has to wait, before others have a turn:
some milliseconds."""

LOCAL_CONNECTIONS_MAX = 4096
"""Connections of programs and clients to one Runtime: several a program, AGENTS_MAX programs."""

CLIENT_HANDLES_MAX = 1024
"""Files one client has open in the tree."""

SHARED_HANDLES_MAX = 65_536
"""Files that the file process has open for all programs of a name space; each is a descriptor of
its own, of which a process may have as many as its hard limit says."""

LOCAL_FDS_MAX = 32
"""Descriptors with one request: a pipeline of ten stages with streams of its own."""

REPAIR_INTERVAL_S = 60.0
"""Between two looks for files with too few copies; a host that comes or goes causes one at once."""

COLLECT_INTERVAL_S = 600.0
"""Between two collections of chunks that no file has: what is deleted is off the disks within ten
minutes, and a look through the whole index is rare."""

COLLECT_ALL_S = 6 * 3600.0
"""Between two collections although no file has left anything: for chunks of commits that were never
agreed on. A look through a million files takes 12 s of a core (measured)."""

COLLECT_PROMISED_MAX = 500_000
"""Chunks asked about while a collection goes on, 50 MB of names; with more it removes no more."""

COLLECT_DIGESTS_MAX = 8_000_000
"""Chunks of all files, 8 TiB of content: eight bytes each, 64 MB, while they are compared with what
hosts hold. Beyond it nothing is collected, and the log says so."""

COLLECT_BATCH = 256
"""Chunks removed by one call: an SD card takes some milliseconds for each."""

SCRUB_DAYS_DEFAULT = 7.0
"""In so many days each chunk is read again and compared, as others do each week with disks that
hold much: two disks that rot in one week at the same chunk are rare."""

SCRUB_DAYS_MAX = 3650.0
"""Beyond it a person means never, which is 0."""

SCRUB_BYTES_PER_S_MAX = 16 * 1024 * 1024
"""Reading again, also when much is due after a host was off: a sixth of what one hard disk reads,
and 10 TB in a week. A host that holds more takes longer than its period."""

SCRUB_SHARE = 0.1
"""Of the disk's time, at most, that reading again may take: nine times as long as a chunk took to
read, the disk is left alone. It counts where a disk is slow, as an SD card, or busy."""

SCRUB_STEP_S = 60.0
"""Between two looks what is due, and the most of a scrub's place that a crash loses."""

SCRUB_STEP_S_MIN = 0.2
"""The same for a period of seconds, as tests have it."""

VERIFY_CHUNKS_PER_CALL = 16
"""Chunks compared for one call of a check that a person waits for: 16 MiB, a second or two of a
slow disk, so that progress shows and a lost call costs little."""

DAMAGE_KNOWN_MAX = 100_000
"""Damaged chunks known to be missing, 10 MB of names, so that their repair is counted."""

LEFTOVER_AGE_S = 600.0
"""After so long nobody writes any more what lies unfinished: a chunk takes a second."""

LOOK_INODES = 64
"""Inodes that a look through the whole index takes at a time: 1 ms, for which others wait."""

AUDIT_INTERVAL_S = 3600.0
"""Between two comparisons of what hosts hold with what the index says they do: 256 short calls a
host and one look through the index, which an hour hides. What is found damaged causes one."""

AUDIT_LOST_MAX = 10_000
"""Files known to have no whole copy, with what is lacking; the others are counted again later."""

CUT_AGAIN_TIMEOUT_S = 120.0
"""For cutting a file anew whose chunks no host has any more: 16 GiB at 150 MB/s."""

CHECK_FINDINGS_MAX = 10_000
"""Lines of one `oneos fsck`; what is beyond is only counted."""

CHECK_FINDINGS_PER_LOOK = 500
"""Findings in one answer: some 100 KB."""

CHECK_LAG_S = 1.0
"""How long a check waits for a path to show on a host whose copy of the index follows."""

CHECK_IDLE_S = 60.0
"""A check that nobody has asked about for so long is given up: whoever began it has gone."""

CHECK_POLL_S = 0.2
"""Between two questions how far a check has come, as one person's eye follows it."""

INDEX_POLL_S = 0.05
"""Between two looks whether the copy of the index has a record; a follower lags by milliseconds."""

COLLECT_TIMEOUT_S = 300.0
"""For a collection that a person waits for: a look through a million files takes a minute."""

COMMIT_TRIES_MAX = 3
"""A commit meets a collection's begin once at most, and the next is minutes away."""

REPAIR_CHUNKS_PER_CALL = 16
"""Chunks pulled by one call: 16 MiB, so that progress shows and a lost call costs little."""

START_TIMEOUT_S = 60.0
"""For a Runtime to be up or down: an SD card, a full replay and an election fit into it."""

START_POLL_S = 0.05
"""Between two looks at whether it is; a look costs 1 ms."""

LOG_FILE_BYTES_MAX = 5 * 1024 * 1024
LOG_FILES_MAX = 2
"""A Runtime's own log: some weeks of an undisturbed host, 15 MB at most."""

CLUSTER_HOSTS_MAX = 16
"""Runtimes that `oneos cluster` starts on one machine: 60 MB and a few processes each."""

INDEX_TAIL_RECORDS = 5_000
"""Records of the files log that are kept when it is compacted: a standby that was away for less
catches up from the log, which costs less than a snapshot."""

INDEX_COMPACT_EVERY_RECORDS = 20_000
"""Batches between two compactions: 4 to 5 MB of log at 200 bytes a batch."""

INDEX_PIECE_BYTES = 4 * 1024 * 1024
"""One piece of a snapshot: half a frame."""

INDEX_SNAPSHOTS_MAX = 4
INDEX_SNAPSHOT_LIFE_S = 600.0
"""Snapshots a host keeps for others, and how long: 165 bytes a file (measured), so 165 MB for a
million files, which take 140 s at 10 Mbit/s."""

# --- processes ------------------------------------------------------------------------------
STAGES_MAX = 64
"""Programs of one pipeline."""

INTERPRETER_PROBE_S = 20.0
"""For an interpreter to say its version: a cold start from an SD card takes seconds."""

HOST_NAMES_MAX = 4096
"""Names of the host's programs in one answer: a desktop has 3,000; the frame holds far more."""

NAMESPACE_START_S = 20.0
"""For the file process to start and mount all there is: 0.3 s here, seconds from an SD card; also
for it to end."""

NAMESPACE_RECALL_S = 2.0
"""For the file process to tell its kernel what to drop: microseconds each. One that takes longer
hangs, and is ended; less than RECALL_TIMEOUT_S, so that the answer is known in time."""

NAMESPACE_RESTARTS_MAX = 10
NAMESPACE_RESTARTS_S = 60.0
"""So often in that time a file process is started anew that has died; one that dies more often has
a fault that its successors have too, and programs had better hear of it."""

NAMESPACE_TAKEOVER_S = 10.0
"""For a new file process to take over from a dead one: 0.3 s here, seconds from an SD card under
load. Programs wait meanwhile, who would get errors without it."""

ONCE_MAX = 1024
"""Outcomes of changes that are remembered, should a file process's successor ask for one again: 16
for each that it may have under way, so that what falls out was answered long ago."""

FUSE_JOURNAL_BYTES_MAX = 64 << 20
"""What a file process notes for its successor, in memory that is taken only as it is used: 100
bytes for each name that its kernel knows, so half a million. With more nobody can take over."""

FUSE_JOURNAL_FOLD_BYTES = 1 << 20
"""Notes, some 8,000 requests' worth, after which only what they amount to is kept: 15 ms."""

FUSE_CARRIED_MAX = 1024
"""Answers and doubts of earlier file processes, 66 of each at most, for requests sent again; those
of killed programs are never asked for."""

MOUNTS_MAX = 64
"""Mounts of the tree on one host (`oneos mount`): each change waits for all of them."""

FUSE_MOVE_BYTES_MAX = 1 << 20
"""One READ or WRITE of a name space's kernel: the most it moves at a time (256 pages)."""

FUSE_LOOKS_MAX = 100
"""Looks at /dev/fuse before its thread sleeps: some 100 us, in which a program that reads one file
after the other comes with its next request, if it has a core of its own."""

FUSE_KEPT_OFF_S = 0.00005
"""A request that comes so soon after a look in vain was kept off by it: its program had no core."""

FUSE_RESTS_MAX = 128
"""Requests that are not looked for after a look that only kept the next one off: the 100 us it took
are 1 us for each."""

FUSE_SOON_S = 0.0002
"""A request that comes within this time of the last is one of many: looking for it would have been
cheaper than to sleep and be woken."""

FUSE_WORKERS_MAX = 64
"""Requests of a name space in work at a time; beyond it the kernel queues. A request that waits out
a fail-over takes seconds, and 64 programs in that state are more than a host of agents has."""

FUSE_WAITING_MAX = 4096
"""Requests that wait for a stream: more threads than that no host's programs have in one read."""

FUSE_EARLY_MAX = 256
"""Interrupts remembered that came before their request did; most belong to other requests."""

FUSE_IDLE_S = 5.0
FUSE_IDLE_MAX = 256
"""Files that are kept open after their last close: long enough for programs that are started in
turn and read the same; a program that reads a large tree once has no use for more descriptors."""

FUSE_DROP_TRIES_MAX = 100
FUSE_DROP_RETRY_S = 0.001
"""To drop an inode that the kernel has yet to make of an answer it has got: microseconds away."""

AGENTS_PER_CORE = 8
"""Agents a core of one's own host takes before programs go to other hosts."""

PLACEMENT_GUESS_BYTES = 2**20
"""What a stream of unknown length is taken for when programs are placed."""

NEAR_LEAST_BYTES = 256 * 1024
"""Input below this counts for nothing when programs are placed: it is there in milliseconds."""

PLACEMENT_START_BYTES = 64 * 1024
"""To start a program away from who asked takes 20 ms longer: as sending this by a slow network."""

PLACEMENT_FULL_BYTES = 2**40
"""More than any input: a host with AGENTS_PER_CORE is taken only where all others are full too."""

WHY_LINES_MAX = 4
"""Lines of the process table that say why a program is where it is; every host keeps them."""

SAFE_POINT_S = 5.0
"""How long a program that is to move may take until it is at a point where it can."""

SAFE_POINT_MAX_S = 3600.0
"""The longest that a person can ask for: the program runs on meanwhile, but no other move of it."""

MOVE_S = 120.0
"""For an image to be sent and restored: 1 GB by 100 Mbit/s. The program stands meanwhile."""

MOVE_PIPE_BYTES = 1024 * 1024
"""Room in the pipes that a program writes to before it stands: what any user may have
(/proc/sys/fs/pipe-max-size), and 16 times what Node has in hand where a program heeds it."""

MOVE_FILES_MAX = 256
MOVE_FILE_NUMBER_MAX = 1023
"""Of a program of Node, which has no more descriptors by default (RLIMIT_NOFILE)."""

RESTORE_LOOK_S = 0.02
RESTORE_START_S = 45.0
"""For an interpreter to be ready at the host that a program moves to: seconds on a small board."""

RELIEF_LOOK_S = 10.0
"""Between two looks for hosts with too much to do: loads are averages over a minute."""

RELIEF_FROM_LOAD = 1.5
"""Running tasks a core from which a host has too much to do: each waits half of its time."""

RELIEF_FREE_LOAD = 0.75
"""Up to which a host takes a program from another."""

RELIEF_AFTER_S = 30.0
"""For how long a host has had too much to do before a program goes: most peaks are shorter."""

RELIEF_LEAST_CORES = 0.25
"""A program that uses less relieves nobody."""

RELIEF_MARGIN_LOAD = 0.5
"""By so much less than the old one a new host is to have to do afterwards."""

RELIEF_REST_S = 120.0
"""Neither host of a move is looked at for so long: twice the minute that loads are taken over."""

RELIEF_STAY_S = 600.0
"""A program that was moved to relieve a host stays for that."""

BUSY_LOOK_S = 2.0
"""Over which what a program uses is taken: 200 of the kernel's ticks."""

SNAPSHOT_HOLD_S = 10.0
"""How long a program stands for others whose states are to be of the same moment: longer than their
safe points take. Then whoever made it stand has died."""

SNAPSHOT_WRITE_S = 120.0
"""For a state to be written and copied, as MOVE_S. The program runs meanwhile."""

SAVED_HEAD_BYTES_MAX = 64 * 2**20
"""All but the image: arguments, environment, and what was on its way in three streams."""

CHECKPOINT_LEAST_S = 0.5
"""A checkpoint stops a pipeline for about 50 ms: a tenth of that."""

EVICT_GRACE_S = 10.0
"""For a program to end by itself that is to go elsewhere: as Docker gives one it stops."""

PROGRAM_LOG_BYTES = 2**20
"""A program's log that is longer when it is started again is put aside; the one before it goes."""

RESTART_BACKOFF_S = 1.0
RESTART_BACKOFF_MAX_S = 60.0
"""Before a program is started again that ended: doubled each time, as long as it comes back within
its window."""

PID_FIRST = 2
"""The first number the log gives: 1 is in every name space the process that starts the others."""

PID_LOGGED_END = 1 << 20
"""One more than the last number the log gives. More than all hosts may run (MEMBERS_MAX times
AGENTS_MAX is a quarter of it) and keep; the rest, up to the kernel's own 2^22, is the hosts'."""

PID_BLOCKS = 512
"""As many as MEMBERS_MAX."""

PID_BLOCK = 6144
"""Numbers of one host for what its programs start: 3 * 2^20 over PID_BLOCKS. Twice AGENTS_MAX with
five children each; a number is given again after half of them at the earliest."""

LISTING_S = 1.0
"""For a host to tell which processes its programs started: milliseconds. A list of all programs is
there to find out what is wrong, and does without a host that does not answer."""

DESCENDANTS_MAX = PID_BLOCK
"""Processes in one answer; there are no more numbers."""

AGENTS_MAX = 512
"""Agents on one host; each is an OS process."""

CHILD_APPEAR_S = 5.0
"""For a program's child to say hello after its parent ended: a cold interpreter start from an SD
card. Until then it may have been started, and after that it is refused."""

CHILD_REPORT_S = 2.0
"""For a parent to tell how its child ended, on kernels that tell it only the parent: the report is
sent right after the wait, so this is generous."""

PROGRAM_CANDIDATES_MAX = 64
"""Paths that are tried for one program name: the directories of a long PATH."""

AGENT_HANDLES_MAX = 4096
"""Files one program has open in the tree; as the usual hard limit of descriptors."""

KILL_GRACE_S = 2.0
"""Between SIGTERM and SIGKILL when a Runtime stops with agents still running."""

INLINE_METADATA_BYTES_MAX = 64 * 1024
"""Of a script, in which its inline metadata is looked for: people write it at the top."""

REQUIREMENTS_BYTES_MAX = 16 * 1024 * 1024
"""One file that says what a program needs: the lock of a thousand packages has 1 MiB."""

ENVIRONMENT_MAKE_S = 900.0
"""For installing what a program needs: half a gigabyte over 5 Mbit/s, or onto a slow SD card."""

ENVIRONMENT_LOG_BYTES_MAX = 64 * 1024
"""The last an installer said, of which one line is shown."""

ENVIRONMENTS_MAX = 64
ENVIRONMENTS_BYTES_MAX = 4 * 1024 * 1024 * 1024
"""Environments that a host keeps: some large ones (half a gigabyte with a numerical library each),
or many small ones, and still room on an SD card of 16 GB."""

CONTROL_BYTES_MAX = 4096
"""Signals written to one /proc/PID/ctl at a time: a page."""

ENVIRON_BYTES_MAX = 2 * 1024 * 1024
"""Of a native program's environment, as /proc shows it: the kernel's own bound by default."""

COPY_BYTES_MAX = 16 * 1024 * 1024
"""`oneos cp` has the kernel move so much at a time: some milliseconds, so that Ctrl-C is heard."""

COPY_WORKERS = 8
"""Files that `oneos cp` copies at a time: a commit waits for two disks, and eight share one."""

# --- links between Runtimes -----------------------------------------------------------------
LINK_HEARTBEAT_S = 1.0
"""Each end of a link sends an empty frame this often: about 100 bytes a second on the wire."""

LINK_SILENCE_S = 3.5
"""Silence after which the other end counts as gone: three heartbeats missed; with the tick of one
second it is noticed after 3.5 to 4.5 s."""

LINK_RECEIVE_BYTES = 64 * 1024
"""Receive buffer of a link; four TLS records. A longer frame gets a buffer of its own size."""

LINK_WRITE_BYTES_HIGH = 1024 * 1024
"""Unsent bytes at which a link makes its writers wait: one bulk chunk."""

BULK_CALLS_IN_FLIGHT_MAX = 16
"""Chunks of 1 MiB under way on a bulk link: 16 MiB fill a 1 Gbit/s line of 100 ms."""

HANDLING_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of arguments that one link may have in its handlers; beyond it, it stops reading."""

HANDSHAKE_TIMEOUT_S = 5.0
"""Preamble and TLS handshake of an accepted connection: two round trips and 2 ms of arithmetic;
a slow single-board computer needs under one second."""

HANDSHAKES_MAX = 64
"""Accepted connections that have not shown yet who they are; more are closed at once."""

ANONYMOUS_LINKS_MAX = 32
"""Accepted links without a certificate: hosts that are about to join."""

ANONYMOUS_LINK_S = 30.0
"""Lifetime of such a link: a join takes three calls."""

ANONYMOUS_FRAME_BYTES_MAX = 64 * 1024
"""A certificate request or boot record has 1 to 4 KiB; strangers get no larger buffer."""

LINKS_ACCEPTED_MAX = 1024
"""Accepted links with a certificate: two from each of 512 hosts."""

STREAM_HEARTBEAT_S = 1.0
"""As LINK_HEARTBEAT_S, in both directions of a stream."""

STREAM_SILENCE_S = 10.0
"""A broken stream fails a program, a broken link only a call: so streams wait longer than links
through a stalled host. A host the log declares dead is dropped before that."""

STREAM_WINDOW_BYTES = 1024 * 1024
"""What a stream's sender keeps that the receiver's program does not have: 50 MB/s at a round trip
of 20 ms, 1 GB/s in a local network."""

STREAM_RECONNECT_S = 30.0
"""A stream whose connection was lost goes on within that, or is broken: longer than it takes to
declare a host dead, which ends it earlier."""

STREAM_REDIAL_S = 0.2
"""Between two tries to reach a host again that a stream leads to."""

STREAM_LINGER_S = 2.0
"""How long an end that has said its last word waits for the other to close."""

# --- shell ----------------------------------------------------------------------------------
SCRIPT_BYTES_MAX = 16 * 1024 * 1024
"""One script: far above what people write; the parser reads it whole."""

PARSE_CACHE_TEXTS_MAX = 256
PARSE_CACHED_CHARS_MAX = 4096
"""Texts a shell keeps parsed, for `eval` and traps in loops: at most 1 MiB of text."""

# --- configuration and services -------------------------------------------------------------
PORT_DEFAULT = 4100
"""The public port of a Runtime; the engine's two follow it."""

SERVICE_RESTARTS_MAX = 5
SERVICE_RESTARTS_WINDOW_S = 60
"""A service that fails more often than every 12 s does not get better by starting it again here."""

# --- the engine -----------------------------------------------------------------------------
ENGINE_CONNECTIONS_MAX = 4096
"""Clients of one voter: two from each of 2,000 hosts."""

ENGINE_PENDING_BYTES_MAX = 32 * 1024 * 1024
"""Unread bytes at which a voter drops a client: four of the largest messages."""

ENGINE_LOG_BYTES_MAX = 1024 * 1024
"""A server's log file before it rotates; one older one is kept."""

ENGINE_MEMORY_STORE_BYTES_MAX = 32 * 1024 * 1024
"""All streams in memory of one voter: the topics', and room for one more generation of it."""

ENGINE_STORE_BYTES_MAX = 16 * 1024 * 1024 * 1024
"""Logs and snapshots on disk: far above what compaction leaves (tens of megabytes), and below
what fills a host's disk."""

ENGINE_GO_MEMORY = "96MiB"
"""Where the server's garbage collector becomes eager: it has 16 MB resident when idle."""

ENGINE_START_TIMEOUT_S = 20.0
"""A store of a gigabyte is checked in seconds before the server listens."""

ENGINE_START_POLL_S = 0.004
"""Between attempts to connect to a server that starts; it listens after 20 to 60 ms."""

ENGINE_STOP_TIMEOUT_S = 5.0
"""Between SIGTERM and SIGKILL: a server closes its files in well under a second."""

ENGINE_RELOAD_TIMEOUT_S = 5.0
ENGINE_RELOAD_POLL_S = 0.005
"""A server reads its configuration again in 1 to 20 ms."""

ENGINE_RESTARTS_MAX = 5
ENGINE_RESTARTS_WINDOW_S = 60.0
"""A server that dies more often than this has a reason that restarting does not cure."""

ENGINE_BACKOFF_S = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Before the first, second, ... restart within the window."""

CACHE_VALID_S = 2
"""How long a kernel or program keeps what it was told of a name without asking again: half of
SUSPECT_AFTER_S, before which no host is declared dead, so that a host that was cut off shows
nothing old when the others go on without it. Once in two seconds is no cost."""

SCANNED_MAX = 4_096
"""Names of a directory whose attributes come with one answer: 10 ms of the File System's time, and
half a megabyte. Those of a larger directory are asked for one by one."""

WATCHES_SCAN_S = 1.0
"""Between looks for programs that watch something: some 7 us for each descriptor they have."""

WATCHES_SCANS = 3
"""So often after the last request: a watch is set on what was looked at 2 s before, at most."""

WATCHED_POLL_S = 0.25
"""Between looks at what is watched: twice that is what a person takes for at once."""

WATCHED_MAX = 256
"""Files and directories looked at for their watchers: 0.3 ms each, some 100 ms a round."""

LOOKS_MAX = 128
"""Names of a directory that are looked at with one request, where programs look at one after the
other: 2 ms of the File System's time."""

LOOKS_KEPT_MAX = 4096
LOOKS_DIRECTORIES_MAX = 8
LOOKS_NAMES_MAX = 16_384
"""What a file process keeps of such answers until its kernel asks, 400 bytes each; and the listings
that say which names come next, of the directories listed last: 10 MB where all are as long as that;
names of longer ones are looked at one by one."""

LOOK_LATE_S = 0.5
"""An answer about a name that took longer is not kept: it would count from when it comes."""

GRANTS_MAX = 100_000
GRANTS_KEPT_S = 60.0
"""Inodes that hosts may have cached, as the File System remembers it, 120 bytes each; those of one
generation are forgotten when the next is full and they ended by themselves long ago."""

RECALL_TIMEOUT_S = 5.0
"""For a host to drop what is kept there: a message and some system calls."""

# --- file system index ----------------------------------------------------------------------
NAME_RESULTS_MAX = 1024
"""Results kept for each client of the index, so that a repeated request is answered and not done
twice: four full batches, more than one host has under way at a fail-over."""

FILE_CHUNKS_MAX = 131_072
"""128 GiB a file: its list of hashes is 4.3 MiB, which goes into one log record and one message
between hosts, of 8 MiB at most."""

COPIES_MAX = 16
"""Hosts named as holders of one file's chunks; more would only swell each inode."""

INDEX_INODES_CACHED_MAX = 8_192
INDEX_ENTRIES_CACHED_MAX = 16_384
"""About 9 MB of Python objects together: the files that a few busy programs touch in a minute."""

INDEX_CHUNKS_CACHED_MAX = 64
"""An inode with a longer list of hashes is read from disk each time, so that a few huge files
cannot fill the memory the cache may use."""

INDEX_PAGE_CACHE_BYTES = 8 * 1024 * 1024
"""SQLite's own cache: the inner pages of the trees of a million files."""

# --- chunk store and backing files ----------------------------------------------------------
CUT_GROUP = 2
"""Chunks of a cut that go to the disk together, while the next ones are read and hashed: so twice
as many are in memory."""

CHUNK_GROUP = 4
"""Chunks fetched together: 4 MiB in memory, and one sync of a directory for many."""

CORRUPT_KEPT_MAX = 64
"""Damaged chunks kept aside for a person to look at; the oldest go first."""

SYNCS_AT_ONCE = 8
"""Files of one call that are synced at the same time: fifteen took 27 ms one after the other, 10 by
four, and 7 by sixteen (ext4, measured)."""

CUT_TRIES_MAX = 3
"""Times a file that is written while it is cut is cut again; then the last cut stands, and the
writer's own fsync or close makes the next one."""

CUT_SETTLED_NS = 50_000_000
"""A file changed less than this before a cut began is read again at the next cut: the kernel's
time stamps tick each 1 to 10 ms, so a second write within one tick shows in none of them."""

SHELL_JOBS_MAX = 256
"""Background jobs one shell keeps account of: half of the agents a host may have."""

SUBSTITUTION_BYTES_MAX = 256 * 1024 * 1024
"""What one `$(command)` may print: it is held in memory, and then becomes arguments."""

FUNCTION_DEPTH_MAX = 400
"""Shell functions that call each other: beyond it is a recursion without an end."""

ENGINE_DRAIN_TIMEOUT_S = 5.0
"""Bytes that a server has not taken for this long are not going to be taken; as its own
write_deadline for us."""

ENGINE_PING_INTERVAL_S = 1.0
ENGINE_PINGS_MAX = 2
"""As the servers' own: a server that fell silent is given up after about 3 s."""

ENGINE_RECONNECT_WAITS_S = (0.02, 0.05, 0.1, 0.25, 0.5)
"""Between rounds over all addresses: a restarted server is met within 50 ms of its start, and one
that stays away costs two attempts a second."""

ENGINE_NO_RESPONDERS_WAIT_S = 0.05
"""Between questions while a stream elects its leader, which takes 0.5 to 9 s."""

ENGINE_STRIKES_MAX = 2
"""Questions in a row without answer before another server is tried."""

ENGINE_SUBSCRIPTION_MESSAGES_MAX = 8192
"""Messages between the socket and a handler; handlers do not wait, so there are few."""

# --- exports --------------------------------------------------------------------------------
EXPORTS_MAX = 256
"""Directories one host exports; all are named in one answer."""

EXPORT_THREADS = 8
"""Looks at exported directories at a time: a disk that hangs (a network's, mostly) holds up these
threads and nothing else of its Runtime."""

EXPORT_WAITING_MAX = 1024
"""Looks that wait for such a thread; beyond it the answer is EBUSY."""

EXPORT_TRIES_MAX = 16
"""Names looked at again that somebody replaced between a look and the use."""

EXPORT_NAMES_BYTES_MAX = 6 * 1024 * 1024
"""One listing, which has to fit a frame: some 150,000 names. A longer one is EOVERFLOW."""

# --- devices --------------------------------------------------------------------------------
DEVICES_MAX = 1024
"""Devices one host declares: each is a row of what the host announces in the log."""

DEVICES_OPEN_MAX = 128
"""Openings of devices at one host at a time: each is up to two descriptors and a process."""

DEVICE_RATE_HZ_MAX = 100_000.0
"""Above it nobody paces by lines; 0 means as fast as it comes."""

DEVICE_LINE_BYTES_MAX = 64 * 1024
"""A reading. What is longer goes on in pieces, and counts as one line where it ends."""

DEVICE_STDERR_BYTES_MAX = 4 * 1024
"""The last a device's command said on standard error, kept for the line in the log."""

DEVICE_GRACE_S = 2.0
"""Between SIGTERM and SIGKILL for a command whose opener has gone."""

DEVICE_LAST_WORDS_S = 0.1
"""How long an ended command's standard error is listened to: something it started may hold it."""

DEVICE_TICK_S = 0.01
"""Lines that a timer's coarseness held up are caught up over this time, and over no longer one."""

DEVICE_BACKLOG_READINGS = 4096
"""Readings that wait for one reader of a device, or for one host's readers; then the oldest are
lost: four seconds of a 1 kHz sensor, beside what its pipe holds."""

DEVICE_BACKLOG_BYTES = 512 * 1024
"""Their bytes: 128 openings that nobody reads take 64 MiB. One is kept, whatever its size."""

DEVICE_BLOCK_BYTES = 4096
"""One reading of a raw device at most: what a terminal's driver keeps, and a pipe takes whole."""

DEVICE_PATIENCE_S = 0.05
"""How long the source of a device waits when every reader has a full backlog, before readings are
lost: a program that runs empties its pipe in this time; a serial port's driver keeps as much."""

DEVICE_DRAIN_S = 30.0
"""What a writer left behind is written for so long, as Linux does for a serial port (closing_wait);
then its close fails."""

DEVICE_MESSAGE_BYTES_MAX = 1024 * 1024
"""A message of a broker: nats-server's own bound, and far above any sensor's. Larger are lost."""

DEVICE_STATE_TIMEOUT_S = 2.0
"""For one host to say who reads a device there; one that does not is named in the answer."""

MQTT_CONNECT_S = 10.0
"""Until a broker has taken a subscription, or has confirmed what a writer published."""

MQTT_BACKOFF_MIN_S = 1
MQTT_BACKOFF_MAX_S = 30
"""Between attempts to reach a broker again: doubled from the one to the other, in whole seconds."""

MQTT_KEEPALIVE_S = 30
"""A broker that fell silent is given up after one and a half of it."""

GPIO_EVENTS_MAX = 1024
"""Edges the kernel keeps for one line until we read them; its own limit for 64 lines is 1024."""

FIFO_POLL_S = 0.05
"""How often a writer looks whether the FIFO has a reader now: the kernel tells of none."""

ENGINE_API_ATTEMPT_S = 2.0
ENGINE_API_RETRY_S = 0.1
"""A question to the management API: answered in a millisecond, or by nobody during an election."""

FETCH_MESSAGES = 256
FETCH_BYTES = 1024 * 1024
"""One read of a stream's past; at 0.3 ms a question, more would not be faster."""

FETCH_TIMEOUT_S = 2.0
"""Silence within a read after which another server is asked."""

FOLLOW_BUFFER_MESSAGES = 1024
FOLLOW_BUFFER_BYTES = 2 * 1024 * 1024
"""What a follower keeps for a slow reader; the rest stays in the stream and is fetched later."""

FOLLOW_CHECK_FIRST_S = 0.02
FOLLOW_CHECK_S = 2.0
"""Looking for a record whose announcement was lost: 20 ms after a connection was made, then after
doubling times up to 2 s, where it costs half a question a second."""

LOG_DUPLICATE_WINDOW_S = 120.0
"""How long a log knows the ids of its records; a voter needs about 100 bytes for each."""

LOG_APPEND_ATTEMPT_S = 3.0
"""One attempt at an append that may be repeated: to a log or a topic, of a part of a snapshot, of a
record that is copied to new voters. It takes milliseconds, so after this the leader is gone."""

LINE_BYTES_MAX = 16 * 1024 * 1024
"""One line for `read`: it is held in memory as a variable."""

TOPIC_BYTES_MAX = 16 * 1024 * 1024
TOPIC_AGE_S = 60.0
"""What the voters keep of all topics together: how far a subscriber may fall behind."""

TOPIC_DUPLICATE_WINDOW_S = 30.0
"""Twice CALL_TIMEOUT_S, in which a publisher repeats what was not acknowledged."""

TOPIC_RECORD_BYTES_MAX = 1024 * 1024
"""One record; the tree gives a line as much."""

TOPIC_MESSAGE_BYTES = 64 * 1024
TOPIC_MESSAGE_RECORDS = 1024
TOPIC_MESSAGES_IN_FLIGHT = 16
"""Records travel in messages of this size, 1 MiB of them unacknowledged: with 0.5 ms a message that
is far above what a publisher delivers, and the memory of a small host does not notice."""

TOPIC_PUBLISHERS_MAX = 1024
"""Publishers whose numbers one subscriber remembers, to count what it lost."""

SNAPSHOT_PART_BYTES = 256 * 1024
"""A message of a snapshot: short enough that appends to the logs need not wait behind it."""

SNAPSHOT_BYTES_MAX = 256 * 1024 * 1024
"""About a million names; both ends hold a snapshot in memory."""

SNAPSHOT_ATTEMPTS_MAX = 8
"""Attempts at a part, a head, or a whole read while snapshots replace each other."""

ENGINE_PLACES_TIMEOUT_S = 60.0
"""Until new voters have found each other and elected a leader: 1 to 10 s."""

REPLAY_IN_FLIGHT = 64
REPLAY_ATTEMPTS_MAX = 20
"""Records under way when logs are copied to new voters, and attempts at each."""

BATCH_BYTES_MAX = 1024 * 1024
"""Commands of the index in one record, measured roughly; one that alone is longer (a file's list of
hashes has up to 4.3 MiB) may go alone, so that a record stays below the engine's 8 MiB."""

LEADER_PROOF_S = 2.0
"""How long the File System answers reads without a new proof that it still leads: half of
SUSPECT_AFTER_S, before which nobody can have taken its place. A proof costs one append."""

HOMES_IDLE_MAX = 1024
HOMES_IDLE_BYTES_MAX = 1024 * 1024 * 1024
"""Files that stay at home here after their last close, so that the next open is quick; each takes
its size on disk a second time, so the ones that rest longest are given up beyond this."""

HOME_CLOSES_KEPT_MAX = 1024
"""Closes by other hosts whose outcome is remembered, for those whose answer got lost."""

PEER_NEWS_S = 2.0
"""How long a call waits here for the news that its host has arrived: the log brings it in
milliseconds, or after the pause of a follower that missed an announcement."""

MEMBERS_MAX = 512
"""Hosts of one network: each dials each, and LINKS_ACCEPTED_MAX counts two links from each."""

SESSIONS_MAX = 4096
"""Logins at one time in the whole network."""

FOLLOW_RETRY_S = 1.0
"""Before a log that could not be read is read again."""

LAUNCH_TIMEOUT_S = 20.0
"""For a host to start its part of a pipeline: CALL_TIMEOUT_S, in which it waits for a file in use
elsewhere, and some more; below the time after which it ends what nobody launched."""

CHILDREN_KEPT_MAX = 4096
"""Programs whose statuses a host keeps for those who launched them and have not asked yet."""

ZYGOTE_READY_S = 10.0
"""For a warm interpreter to load its modules: 30 ms, some seconds on a small and busy host."""

ZYGOTE_ANSWER_S = 2.0
"""For a warm interpreter to fork: 1 ms. Beyond this it hangs and is ended; programs start cold."""

TERMINAL_LOOK_S = 0.1
"""Between two looks at a job on several hosts, who of it has ended and who reads keys: a person
needs longer from seeing a pager to a key."""

TERMINAL_ANSWER_S = 30.0
"""For the leader of a terminal to do something: 1 ms, but where what it wrote before is held up by
a terminal that somebody looks back on, until that goes on."""

TERMINALS_MAX = 256
"""Sessions' terminals of one host: each is a process of 10 MiB and two descriptors."""

STARTER_ANSWER_S = 20.0
"""For the process that starts programs in a name space to fork: 1 ms. Beyond this it hangs and is
ended, and with it all programs there: so as long as the name space itself has to start."""

ZYGOTE_STARTS_AFTER_S = 0.1
"""After a program had to start cold: its own start, some 30 ms, is not to be slowed down."""

ZYGOTE_STARTS_MAX = 3
ZYGOTE_STARTS_WINDOW_S = 60.0
"""Warm interpreters started within a minute. One lasts as long as its Runtime; where it does not
(it dies, or programs of two locales take turns) each costs as much as some cold starts save."""

ZYGOTE_REQUEST_BYTES_MAX = 64 * 1024
"""Arguments and environment of a warm start: one datagram in an empty socket, whose buffer holds
200 KiB. What is longer takes the cold way, where the kernel's own limits hold."""

INNER_MAX = 16
"""Warm interpreters of the name space: one, and one for each terminal with Python programs there.
Each is 10 MiB, 4 of them its own."""

INNER_STARTS_MAX = 6
"""Warm interpreters of the name space started within ZYGOTE_STARTS_WINDOW_S: as many people as open
a terminal in a minute. Where there can be none, each try costs as much as a cold start."""

INNER_REST_S = 300.0
"""After so long without a Python program its warm interpreter of the name space ends: a pause of
somebody at a prompt, and not a night."""

LOCK_OWNERS_MAX = 8192
"""Owners of locks on files at home here that are elsewhere or in a name space: each is a descriptor
of the Runtime. ENOLCK beyond that."""

LOCK_RANGES_MAX = 4096
"""Ranges that one such owner may have locked of one file, in the kernel's memory: SQLite has four,
a program that locks record by record as many as it changes at a time. ENOLCK beyond that."""

LOCK_DIRECT_MAX = 512
"""Locks and unlocks that a file process does by itself before it asks the Runtime for one, which
counts the ranges."""

LOCK_WAITS_MAX = 256
"""Those that wait for a lock at one home, or of one host: each is a thread. ENOLCK beyond that."""

LOCK_KICK_S = 0.005
"""Between two signals to a thread that is to wait no longer: one that comes just before it begins
to wait is lost. Also between two looks for a lock whose owner is about to end."""

LOCK_CLOSING_S = 0.5
"""From a close in a name space until the kernel has told that it was an open file's last: it does
so behind close(2)'s back. Whoever would get EAGAIN meanwhile looks again; a millisecond mostly, and
as long as this where another descriptor of the file is left."""

LOCK_EARLY_MAX = 256
"""Waits that were called back before they were asked for: the two come by different connections."""

FUSE_LOCKED_MAX = 4096
"""Files of which a file process remembers that somebody locked them: each later opening of one for
reading then tells of its close. One that falls out is watched by its process."""
