#!/usr/bin/env python3
"""Usage: cp [-adfHilLnpPRrsuvT] SOURCE DEST
   or: cp [OPTION]... SOURCE... DIRECTORY
   or: cp [OPTION]... -t DIRECTORY SOURCE...

Copy a file, or several into a directory.

  -r, -R  directories with all in them   -p  keep permissions, times and, where allowed, owner
  -a  as -dRp, with extended attributes   -f  remove a DEST that cannot be opened
  -i  ask before writing over a file   -n  write over none   -u  only what is newer
  -v  say what is copied
  -L  what links point to   -P  links themselves   -H  the former on the command line only
  -d  as -P, and several names of one file stay names of one   -T  DEST is no directory to copy into
  -l  make names (hard links), -s  make symbolic links, in place of copies
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

BLOCK = 256 * 1024
LONG = {
    "archive": "a",
    "force": "f",
    "interactive": "i",
    "no-clobber": "n",
    "preserve": "preserve?",
    "link": "l",
    "symbolic-link": "s",
    "remove-destination": "remove-destination",
    "recursive": "r",
    "update": "u",
    "verbose": "v",
    "no-target-directory": "T",
    "target-directory": "t",
    "dereference": "L",
    "no-dereference": "P",
}


class Unreadable(Exception):
    """The source, not the target, failed; the cause is the argument."""


class Way:
    """How to copy, and whether everything went well so far."""

    def __init__(self, found: list[tuple[str, str]], given: set[str]) -> None:
        self.tree = bool(given & {"r", "R", "a"})
        kept = {word for key, value in found if key == "preserve" for word in value.split(",")}
        self.keep = bool(given & {"p", "a"} or kept & {"", "all", "mode", "timestamps"})
        self.keep_xattrs = bool(given & {"a"} or kept & {"xattr", "all"})
        self.keep_links = bool(given & {"a", "d"} or kept & {"links", "all"})
        self.force = "f" in given
        self.ask = "i" in given
        self.no_clobber = "n" in given
        self.update = "u" in given
        self.verbose = "v" in given
        # Whether links are followed: always, on the command line only, or never.
        kinds = [key for key, _ in found if key in ("L", "P", "H", "d", "a")]
        self.follow = kinds[-1] if kinds else "P" if self.tree and "l" not in given else "L"
        self.hard = "l" in given
        self.soft = "s" in given
        self.remove_first = "remove-destination" in given
        # Where the first name of a file that has several was copied to.
        self.names: dict[tuple[int, int], str] = {}
        self.failed = False
        # Directories we made: one that is copied into itself must not be copied for ever.
        self.made: set[tuple[int, int]] = set()

    def complain(self, text: str) -> None:
        """Report a failure and go on."""
        warn(text)
        self.failed = True


def agrees(question: str) -> bool:
    """Whether the person at standard input says yes."""
    flush()
    os.write(2, os.fsencode(f"{NAME}: {question} "))
    answer = b""
    while not answer.endswith(b"\n") and (byte := os.read(0, 1)):
        answer += byte
    return answer[:1] in (b"y", b"Y")


def facts_of(path: str, follow: bool) -> os.stat_result | None:
    """What is at a path; nothing if nothing is there."""
    try:
        return os.stat(path) if follow else os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def kind(facts: os.stat_result) -> int:
    return facts.st_mode & 0o170000


def copy(source: str, target: str, way: Way, top: bool = False) -> None:
    """Copy one name, with all below it, over or into what is at the target."""
    try:
        follow = way.follow == "L" or (way.follow == "H" and top)
        facts = os.stat(source) if follow else os.lstat(source)
    except OSError as error:
        way.complain(f"cannot stat '{source}': {error.strerror}")
        return
    if kind(facts) == 0o040000 and not way.tree:
        way.complain(f"-r not specified; omitting directory '{source}'")
        return
    try:
        there = facts_of(target, kind(facts) != 0o120000)
    except OSError as error:
        way.complain(f"cannot stat '{target}': {error.strerror}")
        return
    if there is not None:
        if os.path.samestat(facts, there) and kind(facts) != 0o040000:
            way.complain(f"'{source}' and '{target}' are the same file")
            return
        if kind(facts) == 0o040000 and kind(there) != 0o040000:
            way.complain(f"cannot overwrite non-directory '{target}' with directory '{source}'")
            return
        if kind(facts) != 0o040000 and kind(there) == 0o040000:
            way.complain(f"cannot overwrite directory '{target}' with non-directory")
            return
        if kind(facts) != 0o040000 and not may_replace(target, facts, there, way):
            return
    elif kind(facts) == 0o100000 and os.path.islink(target) and not way.remove_first:
        # Who made the link may not be who may make what it names.
        way.complain(f"not writing through dangling symlink '{target}'")
        return
    try:
        if kind(facts) == 0o040000:
            copy_directory(source, target, facts, there, way)
            return
        if way.remove_first and os.path.lexists(target):
            os.unlink(target)
            there = None
        if linked(source, target, facts, there, way):
            return
        if kind(facts) == 0o120000:
            if there is not None:
                os.unlink(target)
            os.symlink(os.readlink(source), target)
        elif kind(facts) == 0o100000 or not way.tree:
            copy_file(source, target, facts, there, way)
        else:
            copy_special(target, facts, there)
        if way.verbose:
            put(os.fsencode(f"'{source}' -> '{target}'\n"))
        keep(source, target, facts, way)
    except Unreadable as error:
        way.complain(f"error reading '{source}': {error.args[0].strerror}")
    except OSError as error:
        verb = "error writing" if os.path.lexists(target) else "cannot create"
        way.complain(f"{verb} '{target}': {error.strerror}")


def may_replace(target: str, facts: os.stat_result, there: os.stat_result, way: Way) -> bool:
    """Whether what is at the target gives way."""
    if way.no_clobber or (way.update and there.st_mtime_ns >= facts.st_mtime_ns):
        return False
    return not way.ask or agrees(f"overwrite '{target}'?")


def linked(
    source: str, target: str, facts: os.stat_result, there: os.stat_result | None, way: Way
) -> bool:
    """Whether a link was made in place of a copy."""
    key = (facts.st_dev, facts.st_ino)
    first = way.names.get(key)
    if not (way.hard or way.soft or first is not None):
        if way.keep_links and facts.st_nlink > 1:
            way.names[key] = target
        return False
    if there is not None and (first is not None or way.force):
        os.unlink(target)
    if first is not None:
        os.link(first, target)
    elif way.hard:
        os.link(source if kind(facts) == 0o120000 else os.path.realpath(source), target)
    elif source[:1] != "/" and os.path.dirname(target) not in ("", "."):
        text = "can make relative symbolic links only in current directory"
        way.complain(f"'{target}': {text}")
        return True
    else:
        os.symlink(source, target)
    if way.verbose:
        put(os.fsencode(f"'{source}' -> '{target}'\n"))
    return True


def copy_file(
    source: str, target: str, facts: os.stat_result, there: os.stat_result | None, way: Way
) -> None:
    """Copy the bytes of a file, or of what can be read like one; OSError names the target."""
    try:
        reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        way.complain(f"cannot open '{source}' for reading: {error.strerror}")
        return
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        mode = facts.st_mode & 0o777 if not way.keep else facts.st_mode & 0o700
        if there is None:
            writer = os.open(target, flags | os.O_EXCL, mode)
        else:
            try:
                writer = os.open(target, flags | os.O_TRUNC, mode)
            except OSError:
                if not way.force:
                    raise
                os.unlink(target)
                writer = os.open(target, flags | os.O_EXCL, mode)
        try:
            while block := read(reader):
                while block:
                    block = block[os.write(writer, block) :]
        except (OSError, Unreadable):
            os.close(writer)
            raise
        # Closing commits the file: only now it is known whether the copy is there.
        os.close(writer)
    finally:
        os.close(reader)


def read(fd: int) -> bytes:
    """One block, or a failure that says it was the reading that failed."""
    try:
        return os.read(fd, BLOCK)
    except OSError as error:
        raise Unreadable(error) from None


def copy_special(target: str, facts: os.stat_result, there: os.stat_result | None) -> None:
    """Make a FIFO or device like the one at the source."""
    if there is not None:
        os.unlink(target)
    if kind(facts) == 0o010000:
        os.mkfifo(target, facts.st_mode & 0o777)
    else:
        os.mknod(target, facts.st_mode, facts.st_rdev)


def copy_directory(
    source: str, target: str, facts: os.stat_result, there: os.stat_result | None, way: Way
) -> None:
    """Copy a directory with all in it."""
    if (facts.st_dev, facts.st_ino) in way.made:
        way.complain(f"cannot copy a directory, '{source}', into itself, '{target}'")
        return
    if there is None:
        os.mkdir(target, facts.st_mode & 0o777 | 0o700)
        if way.verbose:
            put(os.fsencode(f"'{source}' -> '{target}'\n"))
    made = os.stat(target)
    way.made.add((made.st_dev, made.st_ino))
    try:
        names = os.listdir(source)
    except OSError as error:
        way.complain(f"cannot access '{source}': {error.strerror}")
        names = []
    for name in names:
        copy(join(source, name), join(target, name), way)
    if there is None:
        # Only now: what may not be written could not have been filled.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(target, facts.st_mode & 0o777 & (0o7777 if way.keep else ~mask))
    keep(source, target, facts, way)


def keep(source: str, target: str, facts: os.stat_result, way: Way) -> None:
    """Give the copy the times, owner, permissions and attributes of the original, if asked to."""
    if way.keep_xattrs:
        try:
            # First: what may not be written can get none.
            carry_xattrs(source, target, kind(facts) != 0o120000)
        except OSError as error:
            way.complain(f"setting attributes for '{target}': {error.strerror}")
    if not way.keep:
        return
    link = kind(facts) == 0o120000
    try:
        os.chown(target, facts.st_uid, facts.st_gid, follow_symlinks=False)
    except OSError:
        pass  # As cp(1): only the superuser can give files away.
    try:
        if not link:
            os.chmod(target, facts.st_mode & 0o7777)
            os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        else:
            os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns), follow_symlinks=False)
    except OSError as error:
        way.complain(f"preserving times for '{target}': {error.strerror}")


def carry_xattrs(source: str, target: str, follow: bool) -> None:
    """Give the copy the extended attributes of the original, but for those that it cannot have."""
    if not hasattr(os, "listxattr"):
        return
    try:
        names = os.listxattr(source, follow_symlinks=follow)
    except OSError as error:
        if error.errno != 95:  # ENOTSUP
            raise
        return
    for name in names:
        value = os.getxattr(source, name, follow_symlinks=follow)
        try:
            os.setxattr(target, name, value, follow_symlinks=follow)
        except OSError as error:
            if error.errno != 95:
                raise


def join(directory: str, name: str) -> str:
    return directory + name if directory.endswith("/") else f"{directory}/{name}"


def main(argv: list[str]) -> int:
    sys.setrecursionlimit(10_000)
    found, paths = options(argv, "adfHilLnpPRrst:uvT", LONG)
    # Of -i and -n the last one counts.
    asked = [key for key, _ in found if key in ("i", "n")]
    given = {key for key, _ in found if key not in ("i", "n")} | set(asked[-1:])
    way = Way(found, given)
    place = dict(found).get("t")
    if not paths:
        raise Usage("missing file operand")
    if place is None:
        if len(paths) == 1:
            raise Usage(f"missing destination file operand after '{paths[0]}'")
        if "T" in given and len(paths) > 2:
            raise Usage(f"extra operand '{paths[2]}'")
        if "T" in given or (len(paths) == 2 and not os.path.isdir(paths[1])):
            if paths[1].endswith("/") and not os.path.isdir(paths[0]):
                raise Failure(f"cannot create regular file '{paths[1]}': Not a directory")
            copy(paths[0], paths[1], way, True)
            return 1 if way.failed else 0
        place = paths.pop()
    if not os.path.isdir(place):
        reason = os.strerror(20 if os.path.lexists(place) else 2)
        raise Failure(f"target '{place}': {reason}")
    for path in paths:
        copy(path, join(place, path.rstrip("/").rpartition("/")[2] or "."), way, True)
    return 1 if way.failed else 0


if __name__ == "__main__":
    run()
