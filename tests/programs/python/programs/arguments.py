"""Wrong arguments, refused as C does; and what a child gets of its parent."""

import errno
import os
import subprocess
import sys
import warnings

ME = [sys.executable, "-c"]


def show(label, function, *args, **options):
    try:
        print(label, function(*args, **options))
    except OSError as error:
        print(label, type(error).__name__, errno.errorcode[error.errno], error.filename)
    except Exception as error:
        print(label, type(error).__name__, error)


def child(code, **options):
    done = subprocess.run([*ME, code], stdout=subprocess.PIPE, text=True, **options)
    return done.stdout.strip(), done.returncode


def environments():
    say = "import os; print(os.environ.get('FRUIT'), os.path.basename(os.getcwd()))"
    os.putenv("FRUIT", "apple")
    print(os.environ.get("FRUIT"), child(say))
    os.unsetenv("FRUIT")
    os.environ["FRUIT"] = "pear"
    print(child(say))
    os.mkdir("below")
    print(child(say, preexec_fn=lambda: os.putenv("FRUIT", "plum")))
    print(child(say, preexec_fn=lambda: os.environ.pop("FRUIT")))
    print(child(say, preexec_fn=lambda: os.chdir("below")))
    print(child(say, preexec_fn=lambda: os.putenv("FRUIT", "no"), env={"FRUIT": "fig"}))
    print(child(say, cwd="below", preexec_fn=lambda: os.chdir("..")) == child(say))
    for environment in [{"A=B": "1"}, {"A\0": "1"}, {"A": "1\0"}, {"": "1"}, {1: "2"}, 5]:
        show(f"execve {environment!r}", os.execve, sys.executable, ME, environment)
        show(f"spawn {environment!r}", os.posix_spawn, sys.executable, ME, environment)


def starts():
    show("NUL", subprocess.run, ["a\0b"])
    show("user", subprocess.run, ME, user=2**64)
    show("a number for a directory", subprocess.run, ME, cwd=1.5)
    for action in [None, (), (None,), (77,), (os.POSIX_SPAWN_CLOSE,), (os.POSIX_SPAWN_DUP2, 1)]:
        show(
            f"action {action}", os.posix_spawn, sys.executable, ME, os.environ,
            file_actions=[action],
        )  # fmt: skip
    show("group", os.posix_spawn, sys.executable, ME, os.environ, setpgroup="1")
    pid = os.fork()
    if pid == 0:
        os.chdir("/usr")
        os.execve(os.open(sys.executable, os.O_RDONLY), [*ME, "raise SystemExit(7)"], os.environ)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def users():
    for name in ("uid", "gid"):
        own = getattr(os, "get" + name)()
        show(name, getattr(os, "set" + name), own)
        show(name, getattr(os, "setre" + name), -1, own)
        show(name, getattr(os, "setres" + name), own, -1, own)
        show(name, getattr(os, "setres" + name), own)
        show(name, getattr(os, "set" + name), 1 << 32)
        show(name, getattr(os, "set" + name), "me")
    print(os.sched_getscheduler(os.getppid()), os.getpgid(os.getppid()) > 0)


def paths():
    with open("file", "w") as file:
        os.fchmod(file.fileno(), 0o604)
        print(oct(os.fstat(file.fileno()).st_mode), os.fstatvfs(file.fileno()).f_namemax)
    warnings.simplefilter("always")
    with warnings.catch_warnings(record=True) as caught:
        show("stat", lambda: oct(os.stat(bytearray(b"file")).st_mode))
        show("scandir", lambda: sorted(entry.path for entry in os.scandir(bytearray(b"."))))
        show("listdir", lambda: sorted(os.listdir(bytearray(b"."))))
        show("unlink", os.unlink, bytearray(b"missing"))
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        print(text)
    print(os.path.exists("/bin/sh"))


environments()
starts()
users()
paths()
