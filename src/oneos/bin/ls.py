#!/usr/bin/env python3
"""Usage: ls [-1AaCdFgHhikLlmnopQqrRsStuUcx] [FILE]...

List the FILEs, and what is in those that are directories; the current one by default.

  -a  also names that begin with a dot   -A  the same, less `.` and `..`
  -l  long: permissions, links, owner, group, size (or device numbers), time, name
  -n  as -l with numbers for owner and group   -g  without owner   -o  without group
  -1  one name a line   -C  columns   -x  columns, across   -m  parted by commas
  -d  directories themselves   -R  all below   -i  inode   -s  blocks   -h  sizes for people
  -F  mark kinds: / directory, * program, | FIFO, @ link, = socket   -p  mark directories
  -t  newest first   -S  largest first   -r  reversed   -U  as they come   -k  blocks of 1024
  -L  what links lead to, not the links   -H  the same of links on the command line only
  -u, -c  take the time of last use, of last change of status   -Q  names in quotes
  -q  `?` for what does not print (default on a terminal)   -N  names as they are
Names are sorted by their bytes. --color, --time-style=long-iso and --full-time are known, too.
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

LONG = {
    "all": "a",
    "almost-all": "A",
    "dereference": "L",
    "dereference-command-line": "H",
    "directory": "d",
    "classify": "F",
    "file-type": "file-type",
    "human-readable": "h",
    "inode": "i",
    "numeric-uid-gid": "n",
    "no-group": "o",
    "quote-name": "Q",
    "literal": "N",
    "hide-control-chars": "q",
    "show-control-chars": "N",
    "reverse": "r",
    "recursive": "R",
    "size": "s",
    "color": "color?",
    "full-time": "full-time",
    "time-style": "time-style=",
    "sort": "sort=",
    "width": "w",
    "kibibytes": "k",
    "group-directories-first": "group-directories-first",
    "zero": "zero",
}
KINDS = {
    0o140000: ("s", "="),
    0o120000: ("l", "@"),
    0o100000: ("-", ""),
    0o060000: ("b", ""),
    0o040000: ("d", "/"),
    0o020000: ("c", ""),
    0o010000: ("p", "|"),
}
HALF_YEAR_S = 31_556_952 // 2


class Entry:
    """A name, what is known of it, and the text that stands for it."""

    def __init__(self, name: str, path: str, facts: os.stat_result | None) -> None:
        self.name = name
        self.path = path
        self.facts = facts
        self.mode = facts.st_mode if facts else 0
        self.size = facts.st_size if facts else 0

    @property
    def directory(self) -> bool:
        return self.mode & 0o170000 == 0o040000


class View:
    """How to list: the options, put in order."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        self.terminal = os.isatty(1)
        self.layout = "C" if self.terminal else "1"
        self.sort, self.time = "name", "m"
        self.given: set[str] = set()
        self.width = 80
        self.full_time = self.iso_time = False
        self.literal = not self.terminal
        self.follow = ""
        for key, value in found:
            self.take(key, value)
        self.long = self.layout == "l"
        if self.time != "m" and self.sort == "name" and not self.long:
            self.sort = "t"
        self.names: dict[str, dict[int, str]] = {}
        self.now = time.time()
        # Listing names alone needs no look at each file, and over a network each look costs.
        marks = self.given & {"F", "p", "i", "s", "R", "file-type", "group-directories-first"}
        self.needs_facts = self.long or bool(marks) or self.sort in ("t", "S")

    def take(self, key: str, value: str) -> None:
        """One option."""
        if key in "lngo" and len(key) == 1:
            self.layout = "l"
            self.given.add(key)
        elif key in "1Cxm" and len(key) == 1:
            self.layout = self.layout if key == "1" and self.layout == "l" else key
        elif key in "tSU" and len(key) == 1:
            self.sort = key
        elif key == "f":
            self.sort = "U"
            self.given.add("a")
        elif key in "uc" and len(key) == 1:
            self.time = "a" if key == "u" else "c"
        elif key == "sort":
            words = {"none": "U", "time": "t", "size": "S", "name": "name"}
            if value not in words:
                raise Usage(f"invalid argument '{value}' for '--sort'")
            self.sort = words[value]
        elif key == "w":
            if not value.isdecimal():
                raise Usage(f"invalid line width: '{value}'")
            self.width = int(value)
            self.given.add("w")
        elif key == "full-time":
            self.full_time, self.layout = True, "l"
        elif key == "time-style":
            self.full_time, self.iso_time = value == "full-iso", value == "long-iso"
        elif key == "zero":
            self.layout, self.literal = "1", True
            self.given.add("zero")
        elif key in "Nq" and len(key) == 1:
            self.literal = key == "N"
        elif key == "a":
            self.given.add("a")
        elif key == "A":
            self.given.discard("a")
            self.given.add("A")
        elif key in ("L", "H"):
            self.follow = key
        else:
            self.given.add(key)

    def owner(self, number: int, base: str) -> str:
        """The name of a user or group by the tree's own /etc, or its number."""
        if "n" in self.given:
            return str(number)
        if base not in self.names:
            self.names[base] = {}
            try:
                with open("/etc/" + base, "rb") as table:
                    for row in table:
                        cells = os.fsdecode(row).split(":")
                        if len(cells) > 2 and cells[2].isdecimal():
                            self.names[base].setdefault(int(cells[2]), cells[0])
            except OSError:
                pass
            if base == "passwd" and (user := os.environ.get("USER")):
                self.names[base].setdefault(os.getuid(), user)
        return self.names[base].get(number, str(number))

    def when(self, facts: os.stat_result) -> str:
        """The time column."""
        moment = {"m": facts.st_mtime, "a": facts.st_atime, "c": facts.st_ctime}[self.time]
        local = time.localtime(moment)
        if self.full_time:
            stamp = {"m": facts.st_mtime_ns, "a": facts.st_atime_ns, "c": facts.st_ctime_ns}
            fraction = stamp[self.time] % 1_000_000_000
            return time.strftime(f"%Y-%m-%d %H:%M:%S.{fraction:09d} %z", local)
        if self.iso_time:
            return time.strftime("%Y-%m-%d %H:%M", local)
        recent = self.now - HALF_YEAR_S < moment <= self.now
        return time.strftime("%b %e %H:%M" if recent else "%b %e  %Y", local)

    def shown(self, name: str) -> bytes:
        """The name as it is printed."""
        if not self.literal:
            name = "".join([c if c.isprintable() else "?" for c in name])
        if "Q" in self.given:
            quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            name = f'"{quoted}"'
        return os.fsencode(name)

    def mark(self, entry: Entry) -> bytes:
        """The letter after a name that tells its kind."""
        if self.given & {"F", "file-type"}:
            kind = KINDS.get(entry.mode & 0o170000, ("?", ""))
            if kind[0] == "-" and entry.mode & 0o111 and "F" in self.given:
                return b"*"
            return b"" if kind[0] == "l" and self.long else kind[1].encode()
        return b"/" if "p" in self.given and entry.directory else b""

    def order(self, entries: list[Entry]) -> list[Entry]:
        """The entries as they are to be listed."""
        if self.sort != "U":
            entries.sort(key=lambda entry: os.fsencode(entry.name))
            if self.sort == "S":
                entries.sort(key=lambda entry: -entry.size)
            elif self.sort == "t":
                stamp = {"m": "st_mtime_ns", "a": "st_atime_ns", "c": "st_ctime_ns"}[self.time]
                entries.sort(key=lambda entry: -getattr(entry.facts, stamp, 0))
            if "r" in self.given:
                entries.reverse()
        if "group-directories-first" in self.given:
            entries.sort(key=lambda entry: not leads_to_directory(entry))
        return entries


def leads_to_directory(entry: Entry) -> bool:
    """Whether it is a directory or a link to one."""
    link = entry.mode & 0o170000 == 0o120000
    return entry.directory or (link and os.path.isdir(entry.path))


def human(size: int) -> str:
    """A size for people: rounded up, at most three digits and a unit."""
    if size < 1024:
        return str(size)
    unit, scale = 0, 1024
    while size >= scale * 1024 and unit < 6:
        unit += 1
        scale *= 1024
    tenths = -(-size * 10 // scale)
    if tenths < 100:
        return f"{tenths // 10}.{tenths % 10}{'KMGTPEZ'[unit]}"
    whole = -(-size // scale)
    if whole >= 1024 and unit < 6:
        return f"1.0{'KMGTPEZ'[unit + 1]}"
    return f"{whole}{'KMGTPEZ'[unit]}"


def permissions(mode: int) -> str:
    """The first column of the long form."""
    text = list(KINDS.get(mode & 0o170000, ("?", ""))[0])
    for shift, special, letter in ((6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")):
        bits = mode >> shift
        text += ["r" if bits & 4 else "-", "w" if bits & 2 else "-"]
        if mode & special:
            text.append(letter if bits & 1 else letter.upper())
        else:
            text.append("x" if bits & 1 else "-")
    return "".join(text)


def blocks(entry: Entry, view: View) -> str:
    """The room a file takes, in units of 1024 bytes or for people."""
    taken = entry.facts.st_blocks if entry.facts else 0
    return human(taken * 512) if "h" in view.given else str((taken + 1) // 2)


def size_cells(entries: list[Entry], view: View) -> list[str]:
    """The size column: bytes, or major and minor number of a device, `-` if it has none."""
    cells = []
    devices = [e for e in entries if e.mode & 0o170000 in (0o020000, 0o060000) and e.facts]
    numbers = {id(e): e.facts.st_rdev for e in devices if e.facts}
    major = max([len(str(os.major(n))) for n in numbers.values() if n], default=0)
    minor = max([len(str(os.minor(n))) for n in numbers.values() if n], default=0)
    for entry in entries:
        number = numbers.get(id(entry))
        if number:
            cells.append(f"{os.major(number):>{major}}, {os.minor(number):>{minor}}")
        elif number is not None:
            cells.append("-")
        elif entry.facts is None:
            cells.append("?")
        else:
            cells.append(human(entry.size) if "h" in view.given else str(entry.size))
    return cells


def put_long(entries: list[Entry], view: View) -> None:
    """The long form: columns as wide as their widest cell."""
    rows: list[list[str]] = []
    sizes = size_cells(entries, view)
    for entry, size in zip(entries, sizes, strict=True):
        facts = entry.facts
        row = []
        if "i" in view.given:
            row.append(str(facts.st_ino) if facts else "?")
        if "s" in view.given:
            row.append(blocks(entry, view))
        row += [permissions(entry.mode) if facts else "??????????"]
        row += [str(facts.st_nlink) if facts else "?"]
        if "g" not in view.given:
            row.append(view.owner(facts.st_uid, "passwd") if facts else "?")
        if "o" not in view.given:
            row.append(view.owner(facts.st_gid, "group") if facts else "?")
        row += [size, view.when(facts) if facts else "?"]
        rows.append(row)
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    first = ("i" in view.given) + ("s" in view.given)
    left = {first, *range(first + 2, len(widths) - 2)}
    for entry, row in zip(entries, rows, strict=True):
        cells = [
            cell.ljust(w) if at in left else cell.rjust(w)
            for at, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        line = os.fsencode(" ".join(cells)) + b" " + view.shown(entry.name) + view.mark(entry)
        if entry.mode & 0o170000 == 0o120000:
            try:
                line += b" -> " + view.shown(os.readlink(entry.path))
                line += view.mark(Entry("", "", os.stat(entry.path)))
            except OSError:
                pass
        put(line + end_of_line(view))


def end_of_line(view: View) -> bytes:
    """What stands after each name in the forms with one a line."""
    return b"\0" if "zero" in view.given else b"\n"


def put_short(entries: list[Entry], view: View) -> None:
    """Names alone: one a line, in columns, or parted by commas."""
    cells: list[bytes] = []
    wide = view.layout == "1"
    inodes = [str(e.facts.st_ino) if e.facts else "?" for e in entries] if "i" in view.given else []
    taken = [blocks(e, view) for e in entries] if "s" in view.given else []
    for at, entry in enumerate(entries):
        lead = ""
        for column in (inodes, taken):
            if column:
                room = 0 if view.layout == "m" else max(map(len, column))
                lead += f"{column[at]:>{room}} "
        cells.append(lead.encode() + view.shown(entry.name) + view.mark(entry))
    if wide:
        end = end_of_line(view)
        put(b"".join([cell + end for cell in cells]))
    elif view.layout == "m":
        put_commas(cells, terminal_width(view))
    else:
        put_columns(cells, terminal_width(view), view.layout == "x")


def terminal_width(view: View) -> int:
    """Columns of a line."""
    if "w" in view.given:
        return view.width or 1 << 30
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        said = os.environ.get("COLUMNS", "")
        return int(said) if said.isdecimal() and int(said) else 80


def put_commas(cells: list[bytes], width: int) -> None:
    """A list as in a sentence."""
    used = 0
    for at, cell in enumerate(cells):
        size = len(cell.decode("utf-8", "replace"))
        if at and used + size + 2 < width:
            put(b", ")
            used += 2
        elif at:
            put(b",\n")
            used = 0
        put(cell)
        used += size
    put(b"\n" if cells else b"")


def put_columns(cells: list[bytes], width: int, across: bool) -> None:
    """As many columns as fit, each as wide as it needs to be."""
    sizes = [len(cell.decode("utf-8", "replace")) for cell in cells]
    most = min(len(cells), max(1, width // 3))
    for columns in range(most, 0, -1):
        rows = -(-len(cells) // columns)
        groups = [
            sizes[c::columns] if across else sizes[c * rows : (c + 1) * rows]
            for c in range(columns)
        ]
        if not all(groups) and columns > 1:
            continue
        widths = [max(group, default=0) + 2 for group in groups]
        if sum(widths) - 2 < width or columns == 1:
            break
    else:
        return
    for row in range(rows):
        picked = [row * columns + c if across else row + c * rows for c in range(columns)]
        line = bytearray()
        picked = [at for at in picked if at < len(cells)]
        start = 0
        for c, at in enumerate(picked):
            line += cells[at]
            if c < len(picked) - 1:
                line += gap(start + sizes[at], start + widths[c])
                start += widths[c]
        put(bytes(line) + b"\n")


def gap(start: int, end: int) -> bytes:
    """The space between two columns, as ls(1) fills it: with tabs where they reach."""
    done = b""
    while start < end:
        if end // 8 > (start + 1) // 8:
            done += b"\t"
            start += 8 - start % 8
        else:
            done += b" "
            start += 1
    return done


def put_entries(entries: list[Entry], view: View) -> None:
    """One group of entries in the chosen form."""
    if view.long and entries:
        put_long(entries, view)
    elif entries:
        put_short(entries, view)


def inside(path: str, view: View) -> tuple[list[Entry], bool]:
    """The entries of a directory, and whether each could be looked at."""
    stem = path if path.endswith("/") else path + "/"
    entries = []
    fine = True
    names = os.listdir(path)
    if "a" in view.given:
        names = [".", "..", *names]
    for name in names:
        if name[0] == "." and not view.given & {"a", "A"}:
            continue
        facts = None
        if view.needs_facts:
            try:
                facts = os.stat(stem + name) if view.follow == "L" else os.lstat(stem + name)
            except FileNotFoundError as error:
                if view.follow == "L" and os.path.lexists(stem + name):
                    warn(f"cannot access '{stem}{name}': {error.strerror}")
                    fine = False
                    entries.append(Entry(name, stem + name, None))
                    continue
                if view.given & {"a", "A"} and name in (".", ".."):
                    raise
                continue  # It went while we looked; a process in /proc does this all the time.
            except OSError as error:
                warn(f"cannot access '{stem}{name}': {error.strerror}")
                fine = False
        entries.append(Entry(name, stem + name, facts))
    return view.order(entries), fine


def put_directory(path: str, view: View, titled: bool, later: bool) -> int:
    """List one directory, and with -R all below it; the exit status."""
    try:
        entries, fine = inside(path, view)
    except OSError as error:
        warn(f"cannot open directory '{path}': {error.strerror}")
        return 2
    if titled:
        put((b"\n" if later else b"") + view.shown(path) + b":\n")
    if view.long or "s" in view.given:
        taken = sum(entry.facts.st_blocks for entry in entries if entry.facts)
        total = human(taken * 512) if "h" in view.given else str((taken + 1) // 2)
        put(f"total {total}\n".encode())
    put_entries(entries, view)
    status = 0 if fine else 1
    if "R" in view.given:
        for entry in entries:
            if entry.directory and entry.name not in (".", ".."):
                status = max(status, min(1, put_directory(entry.path, view, True, True)))
    return status


def main(argv: list[str]) -> int:
    sys.setrecursionlimit(10_000)
    found, names = options(argv, "1AaCcdFfgHhikLlmNnopQqRrSstUuxw:", LONG)
    view = View(found)
    status = 0
    files: list[Entry] = []
    directories: list[Entry] = []
    # Without options a link to a directory stands for the directory, any other for itself.
    enter = not (view.long or view.given & {"d", "F"})
    for name in names or ["."]:
        try:
            facts = os.stat(name) if view.follow else os.lstat(name)
            if facts.st_mode & 0o170000 == 0o120000 and enter and os.path.isdir(name):
                facts = os.stat(name)
        except OSError as error:
            warn(f"cannot access '{name}': {error.strerror}")
            status = 2
            continue
        entry = Entry(name, name, facts)
        (directories if entry.directory and "d" not in view.given else files).append(entry)
    put_entries(view.order(files), view)
    titled = len(names) > 1 or "R" in view.given
    later = bool(files)
    for entry in view.order(directories):
        status = max(status, put_directory(entry.path, view, titled, later))
        later = True
    return status


if __name__ == "__main__":
    run(2)
