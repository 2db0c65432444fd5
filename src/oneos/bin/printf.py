#!/usr/bin/env python3
"""Usage: printf FORMAT [ARGUMENT]...

Write the ARGUMENTs in a FORMAT, which is used again while any are left.

  %s string  %b string with escapes  %q quoted for the shell  %c first character
  %d %i %u %o %x %X whole numbers  %f %e %g %a fractions  %% a %
An ARGUMENT for a number may be 'C: the code of the character C.
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

ESCAPES = {"a": 7, "b": 8, "e": 27, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}
SAFE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:=@%,")
HEX = "0123456789abcdefABCDEF"


class Stop(Exception):
    """`\\c`: nothing more is written."""


def escape(text: str, at: int, octal_zero: bool) -> tuple[bytes, int]:
    """The bytes of the escape whose backslash stands before `at`, and where it ends."""
    letter = text[at : at + 1]
    if letter == "c":
        raise Stop
    if letter in ESCAPES and letter:
        return bytes([ESCAPES[letter]]), at + 1
    if letter and letter in "01234567":
        # %b writes \0NNN where a FORMAT writes \NNN.
        most = 4 if octal_zero and letter == "0" else 3
        end = at
        while end < len(text) and end < at + most and text[end] in "01234567":
            end += 1
        return bytes([int(text[at:end], 8) & 255]), end
    widest = {"x": 2, "u": 4, "U": 8}.get(letter, 0)
    if widest:
        end = at + 1
        while end < len(text) and end < at + 1 + widest and text[end] in HEX:
            end += 1
        if end == at + 1:
            raise Failure("missing hexadecimal number in escape")
        code = int(text[at + 1 : end], 16)
        if letter == "x":
            return bytes([code]), end
        return chr(code).encode("utf-8", "surrogatepass"), end
    return b"\\" + os.fsencode(letter), at + len(letter) if letter else at


def unescaped(text: str) -> bytes:
    """A text with its escapes carried out, as %b does."""
    done = bytearray()
    at = 0
    while (slash := text.find("\\", at)) >= 0:
        done += os.fsencode(text[at:slash])
        try:
            piece, at = escape(text, slash + 1, True)
        except Stop:
            put(bytes(done))
            raise
        done += piece
    return bytes(done) + os.fsencode(text[at:])


def quoted(text: str) -> str:
    """A word that the shell reads as this text."""
    if text and not set(text) - SAFE:
        return text
    if all(letter.isprintable() for letter in text):
        return "'" + text.replace("'", "'\\''") + "'"
    body = "".join(
        letter if letter.isprintable() and letter not in "'\\" else f"\\{ord(letter) & 255:03o}"
        for letter in text
    )
    return f"$'{body}'" if body else "''"


class Writer:
    """Writes the FORMAT once for each group of arguments."""

    def __init__(self, form: str, words: list[str]) -> None:
        self.form = form
        self.words = words
        self.used = 0
        self.status = 0

    def next(self) -> str | None:
        """The next argument, if one is left."""
        if self.used < len(self.words):
            self.used += 1
            return self.words[self.used - 1]
        return None

    def complain(self, word: str, what: str) -> None:
        flush()
        warn(f"'{word}': {what}")
        self.status = 1

    def integer(self, word: str | None) -> int:
        """A whole number in C's notation."""
        if not word:
            return 0
        if word[0] in "'\"":
            return ord(word[1]) if len(word) > 1 else 0
        text = word.strip(" \t\n")
        sign = -1 if text[:1] == "-" else 1
        bare = text.lstrip("+-") if text[:1] in ("+", "-") else text
        base, digits, skip = 10, "0123456789", 0
        if bare[:2].lower() == "0x":
            base, digits, skip = 16, HEX, 2
        elif bare[:1] == "0":
            base, digits = 8, "01234567"
        end = skip
        while end < len(bare) and bare[end] in digits:
            end += 1
        if end == skip:
            self.complain(word, "expected a numeric value")
            return 0
        if end < len(bare):
            self.complain(word, "value not completely converted")
        return sign * int(bare[skip:end], base)

    def fraction(self, word: str | None) -> float:
        """A floating-point number."""
        if not word:
            return 0.0
        if word[0] in "'\"":
            return float(ord(word[1])) if len(word) > 1 else 0.0
        text = word.strip(" \t\n")
        try:
            if text[:2].lower() == "0x":
                return float.fromhex(text)
            if "_" not in text:
                return float(text)
        except ValueError:
            pass
        for end in range(len(text) - 1, 0, -1):
            try:
                value = float(text[:end])
            except ValueError:
                continue
            self.complain(word, "value not completely converted")
            return value
        self.complain(word, "expected a numeric value")
        return 0.0

    def once(self) -> None:
        """Write the FORMAT one time."""
        form, at = self.form, 0
        while at < len(form):
            letter = form[at]
            if letter == "\\":
                piece, at = escape(form, at + 1, False)
                put(piece)
            elif letter == "%" and form[at + 1 : at + 2] == "%":
                put(b"%")
                at += 2
            elif letter == "%":
                at = self.directive(at + 1)
            else:
                end = at
                while end < len(form) and form[end] not in "\\%":
                    end += 1
                put(os.fsencode(form[at:end]))
                at = end

    def directive(self, start: int) -> int:
        """Write one argument; where its directive, which begins at `start`, ends."""
        form, at = self.form, start
        while at < len(form) and form[at] in "-+ #0'":
            at += 1
        flags = form[start:at].replace("'", "")
        width, at = self.size(at)
        if width.startswith("-"):
            flags, width = flags + "-", width[1:]
        precision = ""
        if form[at : at + 1] == ".":
            precision, at = self.size(at + 1)
            precision = "" if precision.startswith("-") else "." + precision
        while form[at : at + 1] in ("l", "h", "L", "q", "j", "z", "t") and form[at + 1 : at + 2]:
            if form[at] == "q":
                break
            at += 1
        letter = form[at : at + 1]
        if not letter or letter not in "sbqcdiuoxXfFeEgGaA":
            raise Failure(f"%{form[start : at + 1]}: invalid conversion specification")
        word = self.next()
        if letter in "diuoxX":
            number = self.integer(word)
            if letter in "uoxX" and number < 0:
                number &= (1 << 64) - 1
            put(whole(flags, width, precision, letter, number))
        elif letter in "fFeEgG":
            put((f"%{flags}{width}{precision}{letter}" % self.fraction(word)).encode())
        elif letter in "aA":
            text = self.fraction(word).hex()
            put(padded(text.upper() if letter == "A" else text, flags, width))
        else:
            data = os.fsencode(word or "")
            if letter == "b":
                data = unescaped(word or "")
            elif letter == "q":
                data = os.fsencode(quoted(word or ""))
            elif letter == "c":
                data = data[:1]
            if precision and letter != "c":
                data = data[: int(precision[1:] or 0)]
            room = int(width or 0)
            put(data.ljust(room) if "-" in flags else data.rjust(room))
        return at + 1

    def size(self, at: int) -> tuple[str, int]:
        """A width or precision, which `*` takes from the arguments, and where it ends."""
        if self.form[at : at + 1] == "*":
            word = self.next()
            return str(self.integer(word)), at + 1
        end = at
        while end < len(self.form) and self.form[end].isdecimal():
            end += 1
        return self.form[at:end], end


def padded(text: str, flags: str, width: str) -> bytes:
    room = int(width or 0)
    return (text.ljust(room) if "-" in flags else text.rjust(room)).encode()


def whole(flags: str, width: str, precision: str, letter: str, number: int) -> bytes:
    """A whole number as printf(3) writes it."""
    if letter in "di":
        digits = str(abs(number))
    else:
        digits = format(number, "d" if letter == "u" else letter)
    if precision:
        digits = digits.rjust(int(precision[1:] or 0), "0")
        digits = "" if number == 0 and int(precision[1:] or 0) == 0 else digits
    lead = ""
    if letter in "di":
        lead = "-" if number < 0 else "+" if "+" in flags else " " if " " in flags else ""
    elif "#" in flags and number:
        lead = {"x": "0x", "X": "0X"}.get(letter, "")
        if letter == "o" and not digits.startswith("0"):
            digits = "0" + digits
    room = int(width or 0)
    if "0" in flags and "-" not in flags and not precision:
        digits = digits.rjust(room - len(lead), "0")
    return padded(lead + digits, flags, width)


def main(argv: list[str]) -> int:
    if argv == ["--help"]:
        options(argv, "", {})
    if argv and argv[0] == "--":
        argv = argv[1:]
    if not argv:
        raise Usage("missing operand")
    writer = Writer(argv[0], argv[1:])
    try:
        writer.once()
        while 0 < writer.used < len(writer.words):
            before = writer.used
            writer.once()
            if writer.used == before:
                break
    except Stop:
        return writer.status
    if writer.words and not writer.used:
        warn(f"warning: ignoring excess arguments, starting with '{writer.words[0]}'")
    return writer.status


if __name__ == "__main__":
    run()
