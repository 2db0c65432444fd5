"""Runs a program that is to be captured, or goes on with one: started by `harness.py`.

    runner.py EXTENSION PACKAGES REPORT --steps N IMAGE PROGRAM ARGUMENT...   captured at the N-th
    runner.py EXTENSION PACKAGES REPORT --after S IMAGE PROGRAM ...           S seconds later
    runner.py EXTENSION PACKAGES REPORT --during S IMAGE PROGRAM ...          asked, and goes on
    runner.py EXTENSION PACKAGES REPORT --restore OLD (--steps N|--after S) IMAGE
    runner.py EXTENSION PACKAGES                                              many, by `warm.py`

With --during, S may be a file: it is asked when there is one. PACKAGES is the directory of the
package `moving`. What happened is written to REPORT as JSON. The status is 75 where the program was
captured, and otherwise the program's.

The last form reads lines of JSON, `[seconds, output, errors, REPORT, ...]`, forks for each, and
answers with a line: its status, or `late` where it had to be killed.
"""


def main(extension_path: str, packages: str, *rest: str) -> int:
    # All names are local: the module becomes the program's own.
    import sys

    sys.path[0] = packages
    myself, exit_status = __file__, 75
    import _thread
    import importlib
    import json
    import os
    import time

    from moving import extension

    extension.load(extension_path)
    import oneos_moving as native
    import plain
    from moving import capture, ending, entry, image, reasons, restore

    if not rest:
        import select
        import signal

        # All that a capture and a restore import, so that each of the forks has it.
        from moving import selftest  # noqa: F401

        for line in iter(sys.stdin.readline, ""):
            limit, *names = json.loads(line)
            pid = os.fork()
            if pid == 0:
                for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
                    fd = os.open(("/dev/null", *names)[number], flags | os.O_APPEND)
                    os.dup2(fd, number)
                    os.close(fd)
                rest = names[2:]
                break
            watched = os.pidfd_open(pid)
            late = not select.select([watched], [], [], limit)[0]
            if late:
                os.kill(pid, signal.SIGKILL)
            _, ended = os.waitpid(pid, 0)
            os.close(watched)
            print("late" if late else os.waitstatus_to_exitcode(ended), flush=True)
        else:
            return 0
    plain.read_input(native)
    del sys.modules["plain"], plain
    report_path, *rest = rest
    old = None
    if rest[0] == "--restore":
        old, rest = rest[1], rest[2:]
    how, amount, path, *arguments = rest
    report, told = {}, _thread.allocate_lock()
    began = time.perf_counter()

    def tell(**more: object) -> None:
        with open(report_path + ".new", "w") as file:
            json.dump({**report, **more}, file)
        os.rename(report_path + ".new", report_path)

    begun: list[int] = []

    postponed: list[str] = []
    attempt = capture.attempt

    def noted(*how: object) -> object:
        try:
            return attempt(*how)  # type: ignore[arg-type]
        except reasons.NotSafe as error:
            postponed.append(error.reason)
            raise

    capture.attempt = noted  # type: ignore[assignment]
    report["postponed"] = postponed

    def coordinate() -> None:
        begun.append(1)
        asked = time.monotonic()
        try:
            if how == "--steps":
                held = capture.capture(6, steps=int(amount), armed=True)
            else:
                while amount.startswith("/") and not os.path.exists(amount):
                    time.sleep(0.01)
                time.sleep(0 if amount.startswith("/") else float(amount))
                asked = time.monotonic()
                held = capture.capture(2 if how == "--during" else 10)
        except reasons.NotSafe as error:
            report.update(refused=error.reason, later=error.later)
            if how != "--steps":
                tell()  # The program may wait for it.
            told.acquire()
            return
        except BaseException:
            import traceback

            report.update(failed=traceback.format_exc())
            told.acquire()
            return
        taken = time.monotonic() - asked
        with open(path, "wb") as file:
            for piece in held.image.pieces():
                file.write(piece)
        tell(taken_s=taken, bytes=os.path.getsize(path))
        os._exit(exit_status)

    if old is None:
        program = arguments[0]
        sys.argv[:] = arguments
        sys.orig_argv[:] = [sys.executable, *arguments]
        sys.path[0] = os.path.dirname(os.path.abspath(program))
        with open(program, "rb") as source:
            text = source.read()
        code = compile(text, program, "exec", dont_inherit=True)
        for line in text.splitlines():
            # Loaded before: else most of a program's instructions are those of imports.
            words = line.split()
            if words[:1] == [b"import"] and b"helper" not in line and how == "--steps":
                try:
                    importlib.import_module(words[1].decode())
                except ImportError:
                    pass  # The program says what it does then.
        space = sys.modules["__main__"].__dict__
        for name in list(space):
            if name not in ("__name__", "__builtins__"):
                del space[name]
        space.update(__doc__=None, __package__=None, __loader__=None, __spec__=None)
        space.update(__file__=program, __annotations__={})

        def run() -> None:
            if how != "--never":
                if how == "--steps":
                    # Some instructions are ours, until there is somebody to take the image.
                    native.arm((_thread.get_ident(),), int(amount) + 12)
                _thread.start_new_thread(coordinate, ())
            entry.run(code, space)
    else:
        with open(old, "rb") as file:
            raw = file.read()
        started = time.perf_counter()
        try:
            restored = restore.restore(image.Image.read(raw))
        except restore.NotHere as error:
            import traceback

            tell(failed=traceback.format_exc(), refused=str(error))
            return 99
        report["restored_s"] = time.perf_counter() - started

        def run() -> None:
            if how == "--steps":
                native.steps(int(amount), True)
            if how != "--never":
                _thread.start_new_thread(coordinate, ())
            restored.run()

    status = ending.run_to_end(run, (myself,))
    if how == "--steps":
        native.disarm()  # What follows is not the program's.
    while how != "--never" and not begun:
        time.sleep(0.001)  # A thread must not begin while the interpreter ends.
    ended = time.monotonic()
    while how == "--during" and not told.locked() and time.monotonic() < ended + 20:
        time.sleep(0.01)
    tell(steps=native.steps(), whole_s=time.perf_counter() - began)
    return status


if __name__ == "__main__":
    import sys

    sys.exit(main(*sys.argv[1:]))
