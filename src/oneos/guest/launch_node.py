"""Turns `node [options] script arguments` into what the Runtime really executes.

The interpreter is the host's own; before the program's own options it is told to load the preload
of the context. A script with a relative path is spelled so that Node, which resolves it before the
preload runs, keeps it whole: the preload resolves it in the program's working directory. Options
that make Node's C++ part read or write files of the host are answered with an error instead, since
no preload comes before them. Nothing is read here and nothing started.
"""

import os
from collections.abc import Mapping, Sequence
from urllib.parse import quote_from_bytes

PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node", "preload.js")

RELATIVE = b"/.oneos-relative/"
"""Before a relative script, percent-encoded so that it is one name; preload.js takes it off."""

EVALUATES = frozenset((b"-e", b"--eval", b"-p", b"--print", b"-pe"))
"""The program is an argument: nothing after the options is a script."""

INTERACTIVE = frozenset((b"-i", b"--interactive"))

_VALUE_NAMES = """
    conditions dns-result-order disable-proto disable-warning eval experimental-default-type import
    input-type inspect-port inspect-publish-uid max-http-header-size
    network-family-autoselection-attempt-timeout require secure-heap secure-heap-min
    stack-trace-limit test-concurrency test-name-pattern test-reporter test-shard test-skip-pattern
    test-timeout title tls-cipher-list trace-require-module unhandled-rejections use-largepages
    v8-pool-size
"""
WITH_VALUE = frozenset(f"--{name}".encode() for name in _VALUE_NAMES.split()) | {
    b"-C",
    b"-e",
    b"-r",
}
"""Options of Node whose value may be the next argument (those of V8 take it after `=` only)."""

_NATIVE_NAMES = """
    build-sea build-snapshot build-snapshot-config cpu-prof cpu-prof-dir cpu-prof-name
    diagnostic-dir env-file env-file-if-exists experimental-config-file
    experimental-default-config-file experimental-loader experimental-permission
    experimental-policy experimental-sea-config heap-prof heap-prof-dir heap-prof-name
    heapsnapshot-near-heap-limit heapsnapshot-signal icu-data-dir loader localstorage-file
    openssl-config permission redirect-warnings report-dir report-directory report-filename
    report-on-fatalerror report-on-signal report-uncaught-exception run snapshot-blob tls-keylog
    trace-event-categories trace-event-file-pattern watch watch-path
"""
NATIVE_FILES = frozenset(f"--{name}".encode() for name in _NATIVE_NAMES.split())
"""Options that reach the host's files, or start programs, past the context."""

BAD_OPTION_STATUS = 9
"""What Node exits with for an option it refuses."""

NATIVE_VARIABLES = (b"NODE_COMPILE_CACHE", b"NODE_REDIRECT_WARNINGS", b"NODE_V8_COVERAGE")
"""Variables by which Node would write files of the host."""


def command(interpreter: str, args: Sequence[str | bytes]) -> list[str | bytes]:
    """The arguments with which to execute `interpreter` for `node ARGS`.

    Args:
        interpreter: path of the host's Node.
        args: what follows the interpreter's name on the command line.

    Returns:
        The whole argument list, the interpreter first. For an option that this version refuses it
        is one that says so and exits with status 9.
    """
    words = [os.fsencode(arg) for arg in args]
    script = _script(words)
    for word in words[: len(words) if script is None else script]:
        name = word.partition(b"=")[0].replace(b"_", b"-")
        if name in NATIVE_FILES:
            return _refusal(interpreter, name)
    if script is not None and not words[script].startswith(b"/"):
        words[script] = RELATIVE + quote_from_bytes(words[script], safe="").replace(
            ".", "%2E"
        ).encode("ascii")
    return [interpreter, "--expose-internals", "--require", PRELOAD, *words]


def environment(given: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The environment to start Node with, for a program that is to see `given`.

    What Node itself would take from it before the preload, and what would make it write files of
    the host, is kept away from it: `NODE_OPTIONS` goes by another name and the preload gives it
    back, so the program and its worker threads see it, but its options do not act.
    """
    env = {name: value for name, value in given.items() if name not in NATIVE_VARIABLES}
    options = env.pop(b"NODE_OPTIONS", None)
    if options is not None:
        env[b"ONEOS_NODE_OPTIONS"] = options
    return env


LOADS_OR_TELLS = frozenset(
    f"--{name}".encode()
    for name in [
        "import",
        "inspect",
        "inspect-brk",
        "inspect-port",
        "inspect-wait",
        "require",
        "prof",
        "test",
        "trace-exit",
        "trace-sync-io",
    ]
) | {b"-r", b"-c", b"--check", *INTERACTIVE}
"""Options by which code of the program's runs before its script, or somebody is told of its run."""


def split(args: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The options of Node in `node ARGS`, and the script with what it gets; the latter is empty
    where the program is no file."""
    at = _script(args)
    return (list(args), []) if at is None else (list(args[:at]), list(args[at:]))


def script(args: Sequence[bytes]) -> bytes | None:
    """The script that `node ARGS` runs, as it is given; None where the program is no file."""
    at = _script(args)
    return None if at is None else args[at]


def _script(words: Sequence[bytes]) -> int | None:
    """Where in `words` the script stands; None where the program comes from elsewhere."""
    at = 0
    while at < len(words):
        word = words[at]
        if word in EVALUATES or word.startswith((b"--eval=", b"--print=")) or word in INTERACTIVE:
            return None
        if word == b"--":
            at += 1
            break
        if word == b"-" or not word.startswith(b"-"):
            break
        at += 2 if word.replace(b"_", b"-") in WITH_VALUE else 1
    return at if at < len(words) and words[at] != b"-" else None


def _refusal(interpreter: str, name: bytes) -> list[str | bytes]:
    text = f"oneos: node {name.decode('ascii', 'replace')}: not in this version of OneOS\n"
    text += "       leave the option out; it acts before the program's view of the tree exists\n"
    quoted = text.encode("unicode_escape").decode("ascii").replace("'", "\\'")
    program = f"process.stderr.write('{quoted}');process.exitCode={BAD_OPTION_STATUS}"
    return [interpreter, "-e", program]
