#!/usr/bin/env python3
"""Usage: kill [-s SIGNAL | -SIGNAL] PID...
   or: kill -l [SIGNAL | STATUS]...

Send a signal, TERM unless another is named, to each process; a negative PID means its group.

  -s SIGNAL, -SIGNAL  by name or number; 0 only asks whether the process is there
  -l  write the names of all signals, or the name or number of those given
"""

import os
import signal
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

NUMBERS = {item.name[3:]: int(item) for item in signal.Signals}
NAMES = {number: name for name, number in NUMBERS.items() if name not in ("CLD", "IOT", "POLL")}


def signal_number(word: str) -> int:
    """The number of a signal given by name or number."""
    bare = word.upper().removeprefix("SIG")
    if bare in NUMBERS:
        return NUMBERS[bare]
    if word.isdecimal() and int(word) < signal.NSIG:
        return int(word)
    if bare == "EXIT":
        return 0
    raise Failure(f"'{word}': invalid signal")


def show(words: list[str]) -> int:
    """The list of signals, or the other form of each one given."""
    status = 0
    if not words:
        for number in sorted(NAMES):
            put(f"{NAMES[number]}\n".encode())
    for word in words:
        if word.isdecimal():
            # A status above 128 is that of a process which a signal ended.
            number = int(word) - 128 if int(word) > 128 else int(word)
            name = NAMES.get(number, "EXIT" if number == 0 else "")
            if not name:
                warn(f"'{word}': invalid signal")
                status = 1
            else:
                put(f"{name}\n".encode())
        else:
            put(f"{signal_number(word)}\n".encode())
    return status


def main(argv: list[str]) -> int:
    sent = int(signal.SIGTERM)
    if argv and argv[0] in ("-l", "-L", "--list", "--table"):
        return show(argv[1:])
    if argv and argv[0] == "--help":
        options(argv, "", {})
    first = argv[0] if argv else ""
    if first in ("-s", "-n", "--signal"):
        if len(argv) < 2:
            raise Usage(f"option requires an argument -- '{first.lstrip('-')[0]}'")
        sent = signal_number(argv[1])
        argv = argv[2:]
    elif first.startswith("--signal="):
        sent = signal_number(first.partition("=")[2])
        argv = argv[1:]
    elif first.startswith("-") and len(first) > 1 and first != "--":
        sent = signal_number(first[1:])
        argv = argv[1:]
    if argv and argv[0] == "--":
        argv = argv[1:]
    if not argv:
        raise Usage("no process ID specified")
    status = 0
    for word in argv:
        try:
            os.kill(int(word), sent)
        except (ValueError, OverflowError):
            warn(f"'{word}': invalid process id")
            status = 1
        except OSError as error:
            warn(f"({word}): {error.strerror}")
            status = 1
    return status


if __name__ == "__main__":
    run()
