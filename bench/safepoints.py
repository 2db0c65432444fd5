"""Runs a program, takes its image at random times, and has it go on.

    safepoints.py EXTENSION PACKAGES REPORT SEED PROGRAM

Run by `migration.py` with the interpreter of programs; it ends after 40 of them at the latest. To
REPORT goes JSON: for each time the seconds from the request until the program stood where it can
move, and the bytes of the image (0: not within 5 s).
"""


def main(path: str, packages: str, report: str, seed: str, program: str) -> int:
    # All names are local: the module becomes the program's own.
    import sys

    sys.path[0] = packages
    myself, times_max, limit_s, pauses_s = __file__, 40, 5.0, (0.01, 0.15)
    import _thread
    import json
    import os
    import random
    import time

    from moving import extension

    extension.load(path)
    from moving import capture, ending, entry, reasons

    found: list[tuple[float, int]] = []
    image_s = [0.0]
    plain = capture.undisturbed

    def timed(*arguments):  # type: ignore[no-untyped-def]
        began = time.monotonic()
        try:
            return plain(*arguments)
        finally:
            image_s[0] = time.monotonic() - began

    capture.undisturbed = timed
    chance = random.Random(seed)

    def end(status: int) -> None:
        with open(report, "w") as file:
            json.dump(found, file)
        os._exit(status)

    def coordinate() -> None:
        while len(found) < times_max:
            time.sleep(chance.uniform(*pauses_s))
            asked, image_s[0] = time.monotonic(), 0.0
            try:
                held = capture.capture(limit_s)
            except reasons.NotSafe:
                found.append((time.monotonic() - asked, 0))
                continue
            took = time.monotonic() - asked - image_s[0]
            size = sum(map(len, held.image.pieces()))
            held.go_on()
            found.append((took, size))
        end(0)

    with open(program, "rb") as source:
        code = compile(source.read(), program, "exec", dont_inherit=True)
    sys.argv[:] = [program]
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    space = sys.modules["__main__"].__dict__
    for name in list(space):
        if name not in ("__name__", "__builtins__"):
            del space[name]
    space["__file__"] = program
    _thread.start_new_thread(coordinate, ())
    end(ending.run_to_end(lambda: entry.run(code, space), (myself,)))
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main(*sys.argv[1:]))
