#!/usr/bin/env python3
"""Usage: ln [-finrsvLPT] TARGET NAME
   or: ln [-finrsvLP] TARGET
   or: ln [OPTION]... TARGET... DIRECTORY
   or: ln [OPTION]... -t DIRECTORY TARGET...

Give TARGET one more NAME, or with -s make a link that says TARGET.

  -s  symbolic   -r  with -s, TARGET as seen from the link   -f  in place of what is there
  -i  ask before that   -n  a NAME that is a link to a directory is no directory to make it in
  -L  a name for what a TARGET that is a link leads to   -P  for the link itself (default)
  -v  say what is made   -T  NAME is never a directory to make it in
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

LONG = {
    "symbolic": "s",
    "relative": "r",
    "force": "f",
    "interactive": "i",
    "no-dereference": "n",
    "logical": "L",
    "physical": "P",
    "verbose": "v",
    "no-target-directory": "T",
    "target-directory": "t",
}


def agrees(question: str) -> bool:
    """Whether the person at standard input says yes."""
    flush()
    os.write(2, os.fsencode(f"{NAME}: {question} "))
    answer = b""
    while not answer.endswith(b"\n") and (byte := os.read(0, 1)):
        answer += byte
    return answer[:1] in (b"y", b"Y")


class Way:
    """How to make links."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        given = {key for key, _ in found}
        self.symbolic = "s" in given
        self.relative = "r" in given
        self.follow = [key for key, _ in found if key in ("L", "P")][-1:] == ["L"]
        # Of -f and -i the last one counts.
        last = [key for key, _ in found if key in ("f", "i")][-1:]
        self.replace = bool(last)
        self.ask = last == ["i"]
        self.verbose = "v" in given

    def make(self, target: str, name: str) -> bool:
        """Make one; whether it went well."""
        try:
            facts = None if self.symbolic else os.stat(target) if self.follow else os.lstat(target)
        except OSError as error:
            warn(f"failed to access '{target}': {error.strerror}")
            return False
        if facts is not None and facts.st_mode & 0o170000 == 0o040000:
            warn(f"{target}: hard link not allowed for directory")
            return False
        if self.symbolic and self.relative:
            # Where things are, not what they are called: a link on the way would lead elsewhere.
            above = os.path.realpath(os.path.dirname(name) or ".")
            target = os.path.relpath(os.path.realpath(target), above)
        try:
            if self.replace and not self.may_replace(target, name, facts):
                return True
            self.place(target, name)
        except SameFile:
            warn(f"'{target}' and '{name}' are the same file")
            return False
        except IsADirectoryError:
            warn(f"{name}: cannot overwrite directory")
            return False
        except OSError as error:
            kind = "symbolic" if self.symbolic else "hard"
            goal = f" => '{target}'" if not self.symbolic and error.errno != errno.EEXIST else ""
            warn(f"failed to create {kind} link '{name}'{goal}: {error.strerror}")
            return False
        if self.verbose:
            put(os.fsencode(f"'{name}' {'->' if self.symbolic else '=>'} '{target}'\n"))
        return True

    def may_replace(self, target: str, name: str, facts: os.stat_result | None) -> bool:
        """Whether what is at the name, if anything, gives way."""
        try:
            there = os.lstat(name)
        except OSError:
            return True
        if there.st_mode & 0o170000 == 0o040000:
            raise IsADirectoryError
        one = facts is not None and os.path.samestat(facts, there)
        if one and (there.st_nlink == 1 or same_name(target, name)):
            raise SameFile
        return not self.ask or agrees(f"replace '{name}'?")

    def place(self, target: str, name: str) -> None:
        """Make it, in place of what is there if that may be; at no moment is nothing there."""
        try:
            self.link(target, name)
            return
        except FileExistsError:
            if not self.replace:
                raise
        number = 0
        while True:
            near = os.path.join(os.path.dirname(name), f".ln-{os.getpid()}-{number}")
            try:
                self.link(target, near)
                break
            except FileExistsError:
                number += 1
        try:
            os.rename(near, name)
        finally:
            # It is still there when both were names of one file, or the renaming failed.
            if os.path.lexists(near):
                os.unlink(near)

    def link(self, target: str, name: str) -> None:
        if self.symbolic:
            os.symlink(target, name)
        else:
            os.link(os.path.realpath(target) if self.follow else target, name)


class SameFile(Exception):
    """Target and name are one, so that nothing can be put in place of it."""


def same_name(one: str, two: str) -> bool:
    """Whether two paths are one name in one directory."""
    places = [os.path.split(path.rstrip("/")) for path in (one, two)]
    if places[0][1] != places[1][1]:
        return False
    return os.path.samefile(places[0][0] or ".", places[1][0] or ".")


def main(argv: list[str]) -> int:
    found, paths = options(argv, "fiLnPrst:Tv", LONG)
    given = dict(found)
    way = Way(found)
    place = given.get("t")
    if not paths:
        raise Usage("missing file operand")
    if way.relative and not way.symbolic:
        raise Failure("cannot do --relative without --symbolic")
    if "T" in given and place is not None:
        raise Failure("cannot combine --target-directory and --no-target-directory")
    if place is None:
        if "T" in given:
            if len(paths) != 2:
                text = f"missing destination file operand after '{paths[0]}'"
                raise Usage(text if len(paths) < 2 else f"extra operand '{paths[2]}'")
            return 0 if way.make(*paths) else 1
        if len(paths) == 1:
            place = "."
        elif len(paths) == 2 and not is_place(paths[1], "n" in given):
            return 0 if way.make(*paths) else 1
        else:
            place = paths.pop()
    if not is_place(place, "n" in given):
        reason = os.strerror(errno.ENOTDIR if os.path.lexists(place) else errno.ENOENT)
        raise Failure(f"target '{place}': {reason}")
    stem = "" if place == "." and len(paths) == 1 and "t" not in given else place.rstrip("/") + "/"
    made = [way.make(path, stem + path.rstrip("/").rpartition("/")[2]) for path in paths]
    return 0 if all(made) else 1


def is_place(path: str, no_links: bool) -> bool:
    """Whether it is a directory to make links in."""
    return os.path.isdir(path) and not (no_links and os.path.islink(path))


if __name__ == "__main__":
    run()
