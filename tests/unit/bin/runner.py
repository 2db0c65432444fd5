"""Runs utilities as programs, many a second: a plain interpreter that forks for each run.

It is started with `python3 runner.py`; each line on standard input is a request as JSON, each line
on standard output the answer. The forked child is what a fresh interpreter would be after its
start: the program's text runs as `__main__`, on descriptors and signals of its own.
"""

import base64
import json
import os
import signal
import sys

compiled: dict = {}


def child(request: dict, program: object) -> None:
    """Become the program; does not return."""
    os.chdir(request["cwd"])
    for fd, (path, flags) in enumerate(request["files"]):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, fd)
        if opened != fd:
            os.close(opened)
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["/bin/" + request["argv"][0], *request["argv"][1:]]
    status = 1
    try:
        exec(program, {"__name__": "__main__"})
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0
    except BaseException as error:
        import traceback

        os.write(2, b"TRACEBACK\n" + "".join(traceback.format_exception(error)).encode())
    os._exit(status)


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        text = request["text"]
        if text not in compiled:
            name = "/bin/" + request["argv"][0]
            compiled[text] = compile(base64.b64decode(text), name, "exec")
        pid = os.fork()
        if not pid:
            child(request, compiled[text])
        # A program that hangs must not hang the tests.
        signal.signal(signal.SIGALRM, lambda *_, pid=pid: os.kill(pid, signal.SIGKILL))
        signal.alarm(60)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        signal.alarm(0)
        print(json.dumps(status), flush=True)


main()
