# ruff: noqa: SIM115, E501
"""Descriptors that a child inherits beyond its own standard streams; prints what happened."""

import os
import subprocess
import sys

PY = sys.executable
open("in-tree", "w").write("text of the tree")
with open("passed", "wb") as f:
    subprocess.check_call(
        [PY, "-c", f"import os; os.write({f.fileno()}, b'through')"], pass_fds=[f.fileno()]
    )
print(open("passed").read())
os.set_inheritable(os.open("in-tree", os.O_RDONLY), True)
check = "import os\nfor fd in range(3, 20):\n    try: print(fd, os.fstat(fd).st_size)\n    except OSError: pass"
print(subprocess.check_output([PY, "-c", check], close_fds=True))
print(subprocess.check_output([PY, "-c", check], close_fds=False))
os.close(3)

sys.stdout.flush()
pid = os.fork()
if pid == 0:
    out = os.open("forked", os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.execvpe(
        "python3",
        ["python3", "-c", "import os; print(os.environ['X'], os.getppid())"],
        {**os.environ, "X": "y"},
    )
print(os.waitpid(pid, 0)[1], open("forked").read() == f"y {os.getpid()}\n")
with open("shared", "w") as shared:
    shared.write("parent ")
    shared.flush()
    pid = os.fork()
    if pid == 0:
        shared.write("child ")
        shared.flush()
        print(os.fstat(shared.fileno()).st_size, flush=True)
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(4)
        os._exit(os.waitpid(grandchild, 0)[1] >> 8)
    print(os.waitpid(pid, 0)[1] >> 8)
    shared.write("parent")
print(open("shared").read())
os.remove("forked")
