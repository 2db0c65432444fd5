#!/usr/bin/env python3
"""Usage: chmod [-Rcfv] MODE FILE...
   or: chmod [-Rcfv] --reference=FILE FILE...

Set the permissions of each FILE.

  -R  of all below a directory, too   -c  say what was changed   -v  say it of each   -f  no errors
A MODE is octal digits, or clauses with commas between: [ugoa]*([-+=]([rwxXst]*|[ugo]))+
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

LONG = {
    "recursive": "R",
    "changes": "c",
    "verbose": "v",
    "silent": "f",
    "quiet": "f",
    "reference": "reference=",
}
WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}


def changed(text: str, mode: int, directory: bool, mask: int) -> int:
    """The permissions after a MODE.

    Args:
        mode: those before.
        mask: the umask, which holds for clauses that name nobody.
    """
    if text and not text.strip("01234567"):
        value = int(text, 8)
        if value > 0o7777:
            raise ValueError
        # Of a directory the set-ID bits stay unless five digits say otherwise.
        kept = mode & 0o6000 if directory and len(text) < 5 else 0
        return value | kept
    for clause in text.split(","):
        who = clause[: len(clause) - len(clause.lstrip("ugoa"))]
        actions = clause[len(who) :]
        if not actions or actions[0] not in "+-=":
            raise ValueError
        reach = 0
        for letter in who or "a":
            reach |= WHO[letter]
        limit = 0o7777 if who else 0o7777 & ~mask
        at = 0
        while at < len(actions):
            sign = actions[at]
            end = at + 1
            while end < len(actions) and actions[end] not in "+-=":
                end += 1
            bits = wanted(actions[at + 1 : end], mode, directory) & reach & limit
            at = end
            if sign == "+":
                mode |= bits
            elif sign == "-":
                mode &= ~bits
            else:
                kept = mode & 0o6000 if directory else 0
                mode = (mode & ~(reach & 0o7777)) | bits | kept
    return mode


def wanted(letters: str, mode: int, directory: bool) -> int:
    """The bits that letters stand for, for everybody."""
    if letters in ("u", "g", "o"):
        part = mode >> {"u": 6, "g": 3, "o": 0}[letters] & 7
        return part * 0o111
    bits = 0
    for letter in letters:
        if letter == "X":
            bits |= 0o111 if directory or mode & 0o111 else 0
        else:
            table = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
            if letter not in table:
                raise ValueError
            bits |= table[letter]
    return bits


def symbols(mode: int) -> str:
    """Permissions as ls -l writes them, less the kind."""
    text = ""
    for shift, special, letter in ((6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")):
        bits = mode >> shift
        text += ("r" if bits & 4 else "-") + ("w" if bits & 2 else "-")
        x = bits & 1
        text += (letter if x else letter.upper()) if mode & special else "x" if x else "-"
    return text


def apply(path: str, mode: str, given: set[str], mask: int, top: bool) -> bool:
    """Change one file, and with -R all below it; whether it went well."""
    try:
        facts = os.lstat(path)
        if facts.st_mode & 0o170000 == 0o120000:
            if not top:
                return True  # As chmod(1): links met on the way are left alone.
            facts = os.stat(path)
    except OSError as error:
        if "f" not in given and isinstance(error, FileNotFoundError) and os.path.islink(path):
            warn(f"cannot operate on dangling symlink '{path}'")
        elif "f" not in given:
            warn(f"cannot access '{path}': {error.strerror}")
        return False
    directory = facts.st_mode & 0o170000 == 0o040000
    old = facts.st_mode & 0o7777
    new = changed(mode, old, directory, mask)
    try:
        os.chmod(path, new)
    except OSError as error:
        if "f" not in given:
            warn(f"changing permissions of '{path}': {error.strerror}")
        return False
    if new != old and given & {"c", "v"}:
        was, now = f"{old:04o} ({symbols(old)})", f"{new:04o} ({symbols(new)})"
        put(os.fsencode(f"mode of '{path}' changed from {was} to {now}\n"))
    elif "v" in given:
        put(os.fsencode(f"mode of '{path}' retained as {old:04o} ({symbols(old)})\n"))
    fine = True
    if directory and "R" in given:
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            if "f" not in given:
                warn(f"cannot read directory '{path}': {error.strerror}")
            return False
        stem = path if path.endswith("/") else path + "/"
        for name in names:
            fine = apply(stem + name, mode, given, mask, False) and fine
    return fine


def main(argv: list[str]) -> int:
    sys.setrecursionlimit(10_000)
    # A MODE that takes away begins as an option does: -x, -rw.
    taken = [word for word in argv if word[:1] == "-" and word[1:2] in tuple("rwxXstugoa")]
    if taken and "--" not in argv[: argv.index(taken[0])]:
        at = argv.index(taken[0])
        argv = [*argv[:at], *argv[at + 1 :]]
        found, paths = options(argv, "Rcfv", LONG)
        paths.insert(0, taken[0])
    else:
        found, paths = options(argv, "Rcfv", LONG)
    given = {key for key, _ in found}
    if "reference" in given:
        name = dict(found)["reference"]
        try:
            mode = f"{os.stat(name).st_mode & 0o7777:05o}"
        except OSError as error:
            message = f"failed to get attributes of '{name}': {error.strerror}"
            raise Failure(message) from None
    elif not paths:
        raise Usage("missing operand")
    else:
        mode = paths.pop(0)
    if not paths:
        raise Usage(f"missing operand after '{mode}'")
    mask = os.umask(0)
    os.umask(mask)
    try:
        changed(mode, 0, False, mask)
    except ValueError:
        raise Usage(f"invalid mode: '{mode}'") from None
    done = [apply(path, mode, given, mask, True) for path in paths]
    return 0 if all(done) else 1


if __name__ == "__main__":
    run()
