#!/usr/bin/env python3
"""Usage: ps [-aef] [-p PID,...] [-u USER,...] [-o COLUMN,...] [--json] [--no-headers]

Show the processes that run now, wherever they run, from the files of /proc.

  -a, -e  ended ones, too   -f  full: also the session, and the whole time of the start
  -p  only these processes   -u  only those of these users
  -o  these columns: pid ppid user host state started session command status (of the exit)
  --json  one list of objects   --no-headers  no line of titles   --proc DIR  in place of /proc
"""

import os
import sys

# --- common part: the same in every utility; tests/unit/bin/test_common_part.py keeps it so ---
NAME = os.path.basename(sys.argv[0])
_out = bytearray()


class Usage(Exception):
    """The command line is wrong; the text says how."""


class Failure(Exception):
    """Nothing more can be done. The text says why; an exit status may follow it."""


class Helped(Exception):
    """--help was asked for and is written."""


class OutputFailed(Exception):
    """Standard output takes no more; the cause is its argument."""


def warn(text: str) -> None:
    """Say one line on standard error; a file name in it keeps its bytes, whatever the encoding."""
    try:
        os.write(2, os.fsencode(f"{NAME}: {text}\n"))
    except OSError:
        pass


def send(data: bytes | bytearray) -> None:
    """Write to standard output at once, past the buffer."""
    try:
        done = os.write(1, data)
        while done < len(data):
            done += os.write(1, data[done:])
    except OSError as error:
        raise OutputFailed(error) from None


def put(data: bytes) -> None:
    """Write to standard output through the buffer."""
    _out.extend(data)
    if len(_out) >= 65536:
        flush()


def flush() -> None:
    """Hand the buffer to the system."""
    if _out:
        data = bytes(_out)
        _out.clear()
        send(data)


def options(
    argv: list[str], short: str, long: dict[str, str], permute: bool = True
) -> tuple[list[tuple[str, str]], list[str]]:
    """Part options from operands as getopt_long(3) does.

    Args:
        short: the letters; one that takes a value is followed by a colon.
        long: long names and the letter each stands for, or a word of its own, which ends in `=`
            if it takes a value and in `?` if it may.
        permute: whether options may follow operands.
    """
    found: list[tuple[str, str]] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if len(name) > 1 and "help".startswith(name):
                put((__doc__ or "").lstrip().encode())
                raise Helped
            near = [name] if name in long else [n for n in long if n.startswith(name)]
            if len({long[n] for n in near}) != 1:
                raise Usage(f"{'ambiguous' if near else 'unrecognized'} option '{word}'")
            key = long[near[0]]
            if not equals and (key[-1] == "=" or key + ":" in short):
                value = next(words, "\0")
                if value == "\0":
                    raise Usage(f"option '--{near[0]}' requires an argument")
            elif equals and key[-1] not in "=?" and key + ":" not in short:
                raise Usage(f"option '--{near[0]}' doesn't allow an argument")
            found.append((key.rstrip("=?"), value))
        elif len(word) > 1 and word[0] == "-":
            at = 1
            while at < len(word):
                letter = word[at]
                at += 1
                if letter == ":" or letter not in short:
                    raise Usage(f"invalid option -- '{letter}'")
                value = ""
                if letter + ":" in short:
                    value = word[at:] or next(words, "\0")
                    at = len(word)
                    if value == "\0":
                        raise Usage(f"option requires an argument -- '{letter}'")
                found.append((letter, value))
        else:
            rest.append(word)
            if not permute:
                break
    rest.extend(words)
    return found, rest


def run(trouble: int = 1) -> None:
    """Run `main` and end with its status; every failure becomes one line and a status.

    Args:
        trouble: the status of a usage error and of a failed write.
    """
    # Python ignores these. A C program does not, and nor does what it starts.
    import _signal

    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    status = trouble
    try:
        try:
            status = main(sys.argv[1:])
        except Helped:
            status = 0
        except Usage as error:
            warn(f"{error}\nTry '{NAME} --help' for more information.")
        except Failure as error:
            warn(error.args[0])
            status = error.args[1] if len(error.args) > 1 else trouble
        except MemoryError:
            warn("memory exhausted")
        except OSError as error:
            name = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
            warn(f"{name}{error.strerror}")
        flush()
        try:
            # A write may fail as late as here: closing is what commits a file.
            os.close(1)
        except OSError as error:
            if error.errno != 9:  # EBADF: it was closed from the start, and nothing was written.
                raise OutputFailed(error) from None
    except OutputFailed as error:
        cause = error.args[0]
        if isinstance(cause, BrokenPipeError):
            die(13)
        warn(f"write error: {cause.strerror}")
        status = status or trouble
    except KeyboardInterrupt:
        die(2)
    sys.exit(status)


def die(signum: int) -> None:
    """End by a signal, as a C program would that never caught it."""
    import _signal

    _signal.signal(signum, _signal.SIG_DFL)
    _signal.raise_signal(signum)


# --- end of the common part -----------------------------------------------------------------

TITLES = {
    "pid": "PID",
    "ppid": "PPID",
    "user": "USER",
    "host": "HOST",
    "state": "STATE",
    "started": "STARTED",
    "session": "SESSION",
    "status": "STATUS",
    "command": "COMMAND",
}
ALIASES = {
    "uname": "user",
    "s": "state",
    "stat": "state",
    "start": "started",
    "stime": "started",
    "lstart": "started",
    "cmd": "command",
    "args": "command",
    "comm": "command",
    "sid": "session",
    "sess": "session",
}
USUAL = ["pid", "ppid", "user", "host", "state", "started", "command"]
FULL = ["pid", "ppid", "user", "host", "session", "state", "started", "command"]
RIGHT = {"pid", "ppid", "session", "status"}
LONG = {
    "all": "a",
    "full": "f",
    "pid": "p",
    "user": "u",
    "format": "o",
    "json": "json",
    "no-headers": "no-headers",
    "no-heading": "no-headers",
    "proc": "proc=",
}
Row = dict[str, str]


def read(path: str) -> bytes:
    """A whole small file; empty if it is not there, for not every system has each of them."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        data = b""
        while block := os.read(fd, 65536):
            data += block
        return data
    except OSError:
        return b""
    finally:
        os.close(fd)


def process(proc: str, pid: str) -> Row | None:
    """What /proc tells of one process; nothing if it has gone meanwhile."""
    status: Row = {}
    for line in os.fsdecode(read(f"{proc}/{pid}/status")).splitlines():
        key, _, value = line.partition(":")
        status[key.lower()] = value.strip()
    if not status:
        return None
    state = status.get("state", "?")
    words = [os.fsdecode(word) for word in read(f"{proc}/{pid}/cmdline").split(b"\0")[:-1]]
    command = " ".join(words) or status.get("command", "") or f"[{status.get('name', '?')}]"
    return {
        "pid": pid,
        "ppid": status.get("ppid", "-"),
        "user": status.get("user", "-"),
        "host": status.get("host", "-"),
        "state": state.partition(" ")[0],
        "started": status.get("started", "-"),
        "session": status.get("session", "-"),
        "status": status.get("exitstatus", "-"),
        "command": command,
    }


def short_time(text: str) -> str:
    """A moment as a person reads it: the time if it was today, else the day."""
    import datetime

    try:
        moment = datetime.datetime.fromisoformat(text).astimezone()
    except ValueError:
        return text
    today = datetime.datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if moment.date() == today else "%Y-%m-%d")


def columns_of(found: list[tuple[str, str]]) -> tuple[list[str], dict[str, str]]:
    """The columns to show, and their titles."""
    given = dict(found)
    titles = dict(TITLES)
    if "o" not in given:
        return (FULL if "f" in given else USUAL), titles
    columns = []
    for key, value in found:
        if key != "o":
            continue
        for word in value.replace(" ", ",").split(","):
            name, equals, title = word.partition("=")
            name = ALIASES.get(name.lower(), name.lower())
            if not name:
                continue
            if name not in TITLES:
                raise Failure(f"unknown column '{name}'\ncolumns are {' '.join(TITLES)}")
            columns.append(name)
            if equals:
                titles[name] = title
    return columns, titles


def as_json(rows: list[Row]) -> bytes:
    """The rows as JSON; numbers are numbers, and what is not known is null."""
    import json

    table: list[dict[str, int | str | None]] = []
    for row in rows:
        item: dict[str, int | str | None] = {}
        for key, value in row.items():
            number = key in RIGHT and value.lstrip("-").isdecimal()
            item[key] = int(value) if number else None if value == "-" else value
        table.append(item)
    text = json.dumps(table, indent=1, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape") + b"\n"


def main(argv: list[str]) -> int:
    # The form of old has no minus: ps aux, ps ax, ps ef.
    if argv and argv[0] and not argv[0].strip("aefux"):
        argv = ["-" + argv[0].replace("u", "f").replace("x", ""), *argv[1:]]
    found, words = options(argv, "aefAp:u:o:", LONG)
    if words:
        raise Usage(f"unexpected operand '{words[0]}'")
    given = dict(found)
    columns, titles = columns_of(found)
    proc = given.get("proc", "/proc")
    try:
        pids = sorted([name for name in os.listdir(proc) if name.isdecimal()], key=int)
    except OSError as error:
        raise Failure(f"cannot read {proc}: {error.strerror}") from None
    if "p" in given:
        chosen = given["p"].replace(" ", ",").split(",")
        if bad := [word for word in chosen if not word.isdecimal()]:
            raise Failure(f"process ID list syntax error: '{bad[0]}'")
        pids = [pid for pid in pids if pid in {str(int(word)) for word in chosen}]
    rows = [row for pid in pids if (row := process(proc, pid)) is not None]
    if not given.keys() & {"a", "e", "A", "p"}:
        rows = [row for row in rows if row["state"] not in ("Z", "X")]
    if "u" in given:
        users = set(given["u"].split(","))
        rows = [row for row in rows if row["user"] in users]
    if "json" in given:
        put(as_json(rows))
        return 0
    if "f" not in given:
        for row in rows:
            row["started"] = short_time(row["started"])
    cells = [[row[name] for name in columns] for row in rows]
    if "no-headers" not in given and any(titles[name] for name in columns):
        cells.insert(0, [titles[name] for name in columns])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        shown = [
            cell.rjust(width) if name in RIGHT else cell.ljust(width)
            for cell, width, name in zip(line, widths, columns, strict=True)
        ]
        put(os.fsencode(" ".join(shown).rstrip()) + b"\n")
    # As procps: nothing found is a failure.
    return 0 if rows else 1


if __name__ == "__main__":
    run()
