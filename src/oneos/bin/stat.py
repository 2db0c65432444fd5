#!/usr/bin/env python3
"""Usage: stat [-L] [-c FORMAT | --printf=FORMAT] [-t] FILE...

Show what the system knows of each FILE.

  -L  of what a link points to   -c FORMAT  in this form, a line each   -t  on one line
  --printf=FORMAT  as -c with backslash escapes and no line end of its own
In a FORMAT: %n name %N quoted name %s size %F kind %f mode in hex %a %A permissions
%u %U %g %G owner and group %h links %i inode %d %D device %t %T device type %b %B blocks
%o best size of a read %w %W birth %x %X %y %Y %z %Z use, change, change of status; %% a %
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

KINDS = {
    0o140000: ("s", "socket"),
    0o120000: ("l", "symbolic link"),
    0o100000: ("-", "regular file"),
    0o060000: ("b", "block special file"),
    0o040000: ("d", "directory"),
    0o020000: ("c", "character special file"),
    0o010000: ("p", "fifo"),
}
TERSE = "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o"


def permissions(mode: int) -> str:
    """As ls -l writes them."""
    text = list(KINDS.get(mode & 0o170000, ("?", ""))[0])
    for shift, special, letter in ((6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")):
        bits = mode >> shift
        text += ["r" if bits & 4 else "-", "w" if bits & 2 else "-"]
        if mode & special:
            text.append(letter if bits & 1 else letter.upper())
        else:
            text.append("x" if bits & 1 else "-")
    return "".join(text)


def owner(number: int, base: str) -> str:
    """The name of a user or group by the tree's own /etc."""
    try:
        with open("/etc/" + base, "rb") as table:
            for row in table:
                cells = os.fsdecode(row).split(":")
                if len(cells) > 2 and cells[2] == str(number):
                    return cells[0]
    except OSError:
        pass
    if base == "passwd" and number == os.getuid():
        return os.environ.get("USER") or "UNKNOWN"
    return "UNKNOWN"


def kind(facts: os.stat_result) -> str:
    """The kind of a file in words."""
    name = KINDS.get(facts.st_mode & 0o170000, ("?", "weird file"))[1]
    return "regular empty file" if name == "regular file" and facts.st_size == 0 else name


def when(stamp_ns: int) -> str:
    """A time to the nanosecond, in local time."""
    seconds, fraction = divmod(stamp_ns, 1_000_000_000)
    return time.strftime(f"%Y-%m-%d %H:%M:%S.{fraction:09d} %z", time.localtime(seconds))


def quoted(name: str, path: str, facts: os.stat_result) -> str:
    """The name in quotes, with what a link points to."""
    if facts.st_mode & 0o170000 == 0o120000:
        return f"'{name}' -> '{os.readlink(path)}'"
    return f"'{name}'"


def value(letter: str, path: str, facts: os.stat_result) -> str | int:
    """What stands for %letter."""
    match letter:
        case "n":
            return path
        case "N":
            return quoted(path, path, facts)
        case "s":
            return facts.st_size
        case "F":
            return kind(facts)
        case "f":
            return f"{facts.st_mode:x}"
        case "a":
            return f"{facts.st_mode & 0o7777:o}"
        case "A":
            return permissions(facts.st_mode)
        case "u":
            return facts.st_uid
        case "U":
            return owner(facts.st_uid, "passwd")
        case "g":
            return facts.st_gid
        case "G":
            return owner(facts.st_gid, "group")
        case "h":
            return facts.st_nlink
        case "i":
            return facts.st_ino
        case "d":
            return facts.st_dev
        case "D":
            return f"{facts.st_dev:x}"
        case "t":
            return f"{os.major(facts.st_rdev):x}"
        case "T":
            return f"{os.minor(facts.st_rdev):x}"
        case "b":
            return facts.st_blocks
        case "B":
            return 512
        case "o":
            return facts.st_blksize
        case "w":
            return "-"
        case "W":
            return 0
        case "x":
            return when(facts.st_atime_ns)
        case "X":
            return facts.st_atime_ns // 1_000_000_000
        case "y":
            return when(facts.st_mtime_ns)
        case "Y":
            return facts.st_mtime_ns // 1_000_000_000
        case "z":
            return when(facts.st_ctime_ns)
        case "Z":
            return facts.st_ctime_ns // 1_000_000_000
    return "?"


def filled(form: str, path: str, facts: os.stat_result) -> str:
    """The FORMAT with every %letter replaced; flags and width may stand between."""
    done = []
    at = 0
    while (percent := form.find("%", at)) >= 0:
        done.append(form[at:percent])
        end = percent + 1
        while end < len(form) and form[end] in "#0- +'.123456789":
            end += 1
        letter = form[end : end + 1]
        flags = form[percent + 1 : end]
        at = end + 1
        if letter in ("", "%"):
            done.append("%")
            continue
        cell = str(value(letter, path, facts))
        if letter == "a" and "#" in flags:
            cell = "0" + cell
        width = flags.lstrip("#- +'0").partition(".")[0]
        room = int(width) if width else 0
        if "-" in flags:
            cell = cell.ljust(room)
        else:
            cell = cell.rjust(room, "0" if flags.lstrip("#+ '").startswith("0") else " ")
        done.append(cell)
    return "".join(done) + form[at:]


def unescaped(form: str) -> str:
    """The FORMAT of --printf with its escapes carried out."""
    pairs = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "a": "\a", "r": "\r", "0": "\0"}
    done, rest = "", form
    while "\\" in rest:
        head, _, rest = rest.partition("\\")
        done += head + pairs.get(rest[:1], "\\" + rest[:1])
        rest = rest[1:]
    return done + rest


def default_form(facts: os.stat_result) -> str:
    """The form without -c."""
    link = facts.st_mode & 0o170000 == 0o120000
    device = facts.st_mode & 0o170000 in (0o020000, 0o060000)
    major, minor = os.major(facts.st_dev), os.minor(facts.st_dev)
    extra = "     Device type: %t,%T" if device else ""
    return (
        f"  File: {'%N' if link else '%n'}\n"
        "  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n"
        f"Device: {major},{minor}\tInode: %-11i Links: {'%-5h' if device else '%h'}{extra}\n"
        "Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\n"
        "Access: %x\nModify: %y\nChange: %z\n Birth: %w\n"
    )


def main(argv: list[str]) -> int:
    long = {"dereference": "L", "format": "c", "printf": "printf=", "terse": "t"}
    found, paths = options(argv, "Lc:t", long)
    given = dict(found)
    if not paths:
        raise Usage("missing operand")
    status = 0
    for path in paths:
        try:
            facts = os.stat(path) if "L" in given else os.lstat(path)
        except OSError as error:
            warn(f"cannot statx '{path}': {error.strerror}")
            status = 1
            continue
        if "printf" in given:
            text = filled(unescaped(given["printf"]), path, facts)
        elif "c" in given:
            text = filled(given["c"], path, facts) + "\n"
        elif "t" in given:
            text = filled(TERSE, path, facts) + "\n"
        else:
            text = filled(default_form(facts), path, facts)
        put(os.fsencode(text))
    return status


if __name__ == "__main__":
    run()
