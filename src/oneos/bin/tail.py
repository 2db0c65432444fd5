#!/usr/bin/env python3
"""Usage: tail [-n [+]NUMBER] [-c [+]NUMBER] [-fFqvz] [-s SECONDS] [FILE]...

Write the last 10 lines of each FILE, or of standard input.

  -n NUMBER  so many lines; with a `+` before it, from that line on   -NUMBER  the same
  -c NUMBER  so many bytes; with a `+` before it, from that byte on
  -f  stay, and write what is added    -F  the same, by name: also when the file is replaced
  -s SECONDS  look for more this often (1)
  -q  never a header with the name   -v  always   -z  NUL ends a line
NUMBER may end in b (512), K, M, G, T (powers of 1024) or kB, MB, GB, TB (powers of 1000).
"""

import os
import sys
import time

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

BLOCK = 256 * 1024
LONG = {
    "lines": "n",
    "bytes": "c",
    "follow": "follow?",
    "retry": "retry",
    "sleep-interval": "s",
    "quiet": "q",
    "silent": "q",
    "verbose": "v",
    "zero-terminated": "z",
}
UNITS = ["", "b", *(u + end for u in "KkMGTPE" for end in ("", "B", "iB"))]


class Source:
    """One file, its descriptor (-1 while there is none), and whether to stay with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = "standard input" if name == "-" else name
        self.fd = -1
        self.follow = True


def number(text: str, what: str) -> int:
    """A count with its unit."""
    bare = text.lstrip("+-") if text[:1] in ("+", "-") else text
    digits = bare.rstrip("bkKMGTPEBi")
    unit = bare[len(digits) :]
    power = "KMGTPE".find(unit[:1].upper()) + 1 if unit else 0
    scale = 512 if unit == "b" else 1000**power if unit[1:] == "B" else 1024**power
    if not digits.isdecimal() or unit not in UNITS:
        raise Failure(f"invalid number of {what}: '{text}'")
    return int(digits) * scale


def rest(fd: int) -> int:
    """Put all that is left; the number of bytes."""
    total = 0
    while block := os.read(fd, BLOCK):
        total += len(block)
        send(block)
    return total


def from_byte(fd: int, skipped: int) -> None:
    """Put what comes after that many bytes."""
    try:
        os.lseek(fd, skipped, os.SEEK_CUR)
    except OSError:
        while skipped > 0 and (block := os.read(fd, min(BLOCK, skipped))):
            skipped -= len(block)
    rest(fd)


def from_line(fd: int, skipped: int, end: bytes) -> None:
    """Put what comes after that many lines."""
    while skipped > 0 and (block := os.read(fd, BLOCK)):
        lines = block.count(end)
        if lines < skipped:
            skipped -= lines
            continue
        at = -1
        for _ in range(skipped):
            at = block.index(end, at + 1)
        skipped = 0
        send(block[at + 1 :])
    rest(fd)


def last_bytes(fd: int, kept: int) -> None:
    """Put the last bytes."""
    start, size = span(fd)
    if size > start:
        os.lseek(fd, max(start, size - kept), os.SEEK_SET)
        rest(fd)
        return
    held = b""
    while block := os.read(fd, BLOCK):
        held = (held + block)[-kept:] if kept else b""
    send(held)


def last_lines(fd: int, kept: int, end: bytes) -> None:
    """Put the last lines; of a file that can be read backwards, only they are read."""
    start, size = span(fd)
    if size > start:
        at, lines, first = size, 0, True
        while at > start and kept:
            step = min(BLOCK, at - start)
            at -= step
            block = os.pread(fd, step, at)
            # The end of the last line ends no line before it.
            stop = len(block) - 1 if first and block.endswith(end) else len(block)
            first = False
            found = block.count(end, 0, stop)
            if lines + found < kept:
                lines += found
                continue
            for _ in range(kept - lines):
                stop = block.rindex(end, 0, stop)
            at += stop + 1
            break
        os.lseek(fd, at if kept else size, os.SEEK_SET)
        rest(fd)
        return
    held: list[bytes] = []
    count = 0
    while block := os.read(fd, BLOCK):
        held.append(block)
        count += block.count(end)
        while count - held[0].count(end) > kept:
            count -= held.pop(0).count(end)
    data = b"".join(held)
    stop = len(data) - 1 if data.endswith(end) else len(data)
    for _ in range(kept):
        stop = data.rfind(end, 0, stop)
        if stop < 0:
            break
    send(data[stop + 1 :] if kept else b"")


def span(fd: int) -> tuple[int, int]:
    """Where a regular file is read, and its size; (0, 0) for what can only be read forwards."""
    facts = os.fstat(fd)
    if facts.st_mode & 0o170000 != 0o100000:
        return 0, 0
    return os.lseek(fd, 0, os.SEEK_CUR), facts.st_size


def watch(sources: list[Source], by_name: bool, pause_s: float, headers: bool) -> int:
    """Write what is added, until nothing is left to follow."""
    last = sources[-1]
    while any(source.follow for source in sources):
        idle = True
        for source in sources:
            if not source.follow:
                continue
            if by_name:
                renew(source)
            if source.fd < 0:
                continue
            try:
                facts = os.fstat(source.fd)
                regular = facts.st_mode & 0o170000 == 0o100000
                if regular and facts.st_size < os.lseek(source.fd, 0, os.SEEK_CUR):
                    warn(f"{source.name}: file truncated")
                    os.lseek(source.fd, 0, os.SEEK_SET)
                block = os.read(source.fd, BLOCK)
            except OSError as error:
                warn(f"error reading '{source.name}': {error.strerror}")
                source.follow = by_name
                continue
            if block:
                idle = False
                if headers and source is not last:
                    put(os.fsencode(f"\n==> {source.title} <==\n"))
                last = source
                put(block)
        flush()
        if idle:
            time.sleep(pause_s)
    warn("no files remaining")
    return 1


def renew(source: Source) -> None:
    """Open what the name stands for now, if that is another file than before."""
    try:
        facts = os.stat(source.name)
        if source.fd >= 0 and os.path.samestat(facts, os.fstat(source.fd)):
            return
        fd = os.open(source.name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if source.fd >= 0:
            warn(f"'{source.name}' has become inaccessible: {error.strerror}")
            os.close(source.fd)
            source.fd = -1
        return
    warn(
        f"'{source.name}' has {'been replaced' if source.fd >= 0 else 'appeared'};  "
        "following new file"
    )
    if source.fd >= 0:
        os.close(source.fd)
    source.fd = fd


def main(argv: list[str]) -> int:
    if argv and argv[0][:1] in ("-", "+") and argv[0][1:2].isdecimal():
        # The form of old: -5, +5, -5f, -5c.
        sign = "+" if argv[0][0] == "+" else ""
        word = argv[0][1:]
        digits = word.rstrip("bcfl")
        letters = word[len(digits) :]
        way = "-c" if set(letters) & set("cb") else "-n"
        unit = "b" if "b" in letters else ""
        follow = ["-f"] if "f" in letters else []
        argv = [way, sign + digits + unit, *follow, *argv[1:]]
    found, names = options(argv, "n:c:fFqvzs:", LONG)
    way, count, header, end, pause_s = "n", "10", "", b"\n", 1.0
    follow_ways = set()
    for key, value in found:
        if key in ("n", "c"):
            way, count = key, value
        elif key == "z":
            end = b"\0"
        elif key == "s":
            try:
                pause_s = max(0.001, float(value))
            except ValueError:
                raise Failure(f"invalid number of seconds: '{value}'") from None
        elif key == "follow":
            if value not in ("", "name", "descriptor"):
                raise Usage(f"invalid argument '{value}' for '--follow'")
            follow_ways.add("n" if value == "name" else "f")
        elif key in ("f", "F"):
            follow_ways.add("n" if key == "F" else "f")
        elif key in ("q", "v"):
            header = key
    amount = number(count, "lines" if way == "n" else "bytes")
    sources = [Source(name) for name in names or ["-"]]
    headers = header == "v" or (len(sources) > 1 and header != "q")
    status = 0
    shown = False
    for source in sources:
        name = source.name
        try:
            source.fd = 0 if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            warn(f"cannot open '{name}' for reading: {error.strerror}")
            source.follow = "n" in follow_ways
            status = 1
            continue
        if headers:
            put(os.fsencode(f"{'' if not shown else chr(10)}==> {source.title} <==\n"))
            shown = True
        flush()
        try:
            # Standard input that is a pipe has ended when it has ended.
            pipe = name == "-" and os.fstat(0).st_mode & 0o170000 == 0o010000
            source.follow = not pipe
            if count.startswith("+"):
                skipped = max(0, amount - 1)
                from_byte(source.fd, skipped) if way == "c" else from_line(source.fd, skipped, end)
            elif way == "c":
                last_bytes(source.fd, amount)
            else:
                last_lines(source.fd, amount, end)
        except OSError as error:
            warn(f"error reading '{name}': {error.strerror}")
            source.follow = False
            status = 1
        if not follow_ways and source.fd:
            os.close(source.fd)
    if follow_ways and any(source.follow for source in sources):
        return watch(sources, "n" in follow_ways, pause_s, headers)
    return status


if __name__ == "__main__":
    run()
