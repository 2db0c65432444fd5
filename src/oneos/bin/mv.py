#!/usr/bin/env python3
"""Usage: mv [-finuvT] SOURCE DEST
   or: mv [OPTION]... SOURCE... DIRECTORY
   or: mv [OPTION]... -t DIRECTORY SOURCE...

Give a file another name, or move several into a directory.

  -f  ask nothing   -i  ask before writing over a file   -n  write over none
  -u  only over what is older   -v  say what is moved   -T  DEST is no directory to move into
Between file systems the files are copied, then removed.
"""

import errno
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
    "force": "f",
    "interactive": "i",
    "no-clobber": "n",
    "update": "u",
    "verbose": "v",
    "no-target-directory": "T",
    "target-directory": "t",
    "strip-trailing-slashes": "strip",
}


def agrees(question: str) -> bool:
    """Whether the person at standard input says yes."""
    flush()
    os.write(2, os.fsencode(f"{NAME}: {question} "))
    answer = b""
    while not answer.endswith(b"\n") and (byte := os.read(0, 1)):
        answer += byte
    return answer[:1] in (b"y", b"Y")


def kind(facts: os.stat_result) -> int:
    return facts.st_mode & 0o170000


def move(source: str, target: str, given: set[str]) -> bool:
    """Move one name; whether it went well."""
    try:
        facts = os.lstat(source)
    except OSError as error:
        warn(f"cannot stat '{source}': {error.strerror}")
        return False
    try:
        there = os.lstat(target)
    except OSError:
        there = None
    if there is not None:
        if os.path.samestat(facts, there):
            warn(f"'{source}' and '{target}' are the same file")
            return False
        if kind(facts) == 0o120000 and there.st_nlink > 1 and same_name(source, target):
            warn(f"'{source}' and '{target}' are the same file")
            return False
        if "n" in given or ("u" in given and there.st_mtime_ns >= facts.st_mtime_ns):
            return True
        if kind(there) == 0o040000 and kind(facts) != 0o040000:
            warn(f"cannot overwrite directory '{target}' with non-directory")
            return False
        if kind(there) != 0o040000 and kind(facts) == 0o040000:
            warn(f"cannot overwrite non-directory '{target}' with directory '{source}'")
            return False
        locked = "f" not in given and os.isatty(0) and not os.access(target, os.W_OK)
        if ("i" in given or locked) and not agrees(f"overwrite '{target}'?"):
            return True
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            try:
                if there is not None:
                    os.rmdir(target) if kind(there) == 0o040000 else os.unlink(target)
                carry(source, target)
            except OSError as failure:
                name = os.fsdecode(failure.filename or target)
                warn(f"cannot move '{source}' to '{target}': {name}: {failure.strerror}")
                return False
        elif error.errno == errno.EINVAL:
            warn(f"cannot move '{source}' to a subdirectory of itself, '{target}'")
            return False
        else:
            warn(f"cannot move '{source}' to '{target}': {error.strerror}")
            return False
    if "v" in given:
        put(os.fsencode(f"renamed '{source}' -> '{target}'\n"))
    return True


def same_name(link: str, target: str) -> bool:
    """Whether a link leads to this very name, which moving the link there would take away."""
    real = os.path.realpath(link)
    above = os.path.realpath(os.path.dirname(target) or ".")
    return real == os.path.join(above, os.path.basename(target))


def carry(source: str, target: str) -> None:
    """Copy to another file system, with all below, and remove what is copied; OSError if not."""
    facts = os.lstat(source)
    if kind(facts) == 0o040000:
        os.mkdir(target, 0o700)
        for name in os.listdir(source):
            carry(f"{source}/{name}", f"{target}/{name}")
    elif kind(facts) == 0o120000:
        os.symlink(os.readlink(source), target)
    elif kind(facts) == 0o010000:
        os.mkfifo(target, 0o600)
    elif kind(facts) == 0o100000:
        reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while block := os.read(reader, BLOCK):
                while block:
                    block = block[os.write(writer, block) :]
        finally:
            os.close(reader)
            # Closing commits the copy; the original goes only after that went well.
            os.close(writer)
    else:
        os.mknod(target, facts.st_mode, facts.st_rdev)
    try:
        os.chown(target, facts.st_uid, facts.st_gid, follow_symlinks=False)
    except OSError:
        pass  # Only the superuser can give files away.
    carry_xattrs(source, target, False)
    if kind(facts) != 0o120000:
        os.chmod(target, facts.st_mode & 0o7777)
        os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    if kind(facts) == 0o040000:
        os.rmdir(source)
    else:
        os.unlink(source)


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


def main(argv: list[str]) -> int:
    sys.setrecursionlimit(10_000)
    found, paths = options(argv, "finuvTt:", LONG)
    asked = [key for key, _ in found if key in ("f", "i", "n")]
    given = {key for key, _ in found if key not in ("f", "i", "n")} | set(asked[-1:])
    place = dict(found).get("t")
    if not paths:
        raise Usage("missing file operand")
    if "strip" in given:
        paths = [path.rstrip("/") or "/" for path in paths]
    if place is None:
        if len(paths) == 1:
            raise Usage(f"missing destination file operand after '{paths[0]}'")
        if "T" in given and len(paths) > 2:
            raise Usage(f"extra operand '{paths[2]}'")
        if "T" in given or (len(paths) == 2 and not os.path.isdir(paths[1])):
            return 0 if move(paths[0], paths[1], given) else 1
        place = paths.pop()
    if not os.path.isdir(place):
        reason = os.strerror(20 if os.path.lexists(place) else 2)
        raise Failure(f"target '{place}': {reason}")
    stem = place if place.endswith("/") else place + "/"
    moved = [move(path, stem + path.rstrip("/").rpartition("/")[2], given) for path in paths]
    return 0 if all(moved) else 1


if __name__ == "__main__":
    run()
