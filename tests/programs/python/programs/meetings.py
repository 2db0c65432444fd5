"""FIFOs and unix sockets with a name in the directory: who knows the name meets who else does."""

import errno
import multiprocessing
import os
import socket
import stat
import threading
import warnings
from pathlib import Path

# The thread that was waited for may not have left the kernel when the program forks.
warnings.simplefilter("ignore", DeprecationWarning)


def show(label, function, *args, **options):
    try:
        print(label, function(*args, **options))
    except OSError as error:
        print(label, type(error).__name__, errno.errorcode[error.errno], error.filename)


def double(number, queue):
    queue.put(2 * number)


def fifos():
    os.umask(0o027)
    os.mkfifo("fifo", 0o666)
    print(oct(os.stat("fifo").st_mode), stat.S_ISFIFO(os.lstat("fifo").st_mode))
    show("again", os.mkfifo, "fifo")
    show("nowhere", os.mkfifo, "no/fifo")
    show("no reader", os.open, "fifo", os.O_WRONLY | os.O_NONBLOCK)
    got = []
    reader = threading.Thread(target=lambda: got.append(Path("fifo").read_text()))
    reader.start()
    with open("fifo", "w") as writer:
        writer.write("through it\n")
        show("seek", writer.buffer.raw.seek, 0)
    reader.join()
    print(got)
    pid = os.fork()
    if pid == 0:
        with open("fifo", "wb", buffering=0) as writer:
            writer.write(b"from the child")
        os._exit(0)
    with open("fifo", "rb") as child:
        print(child.read())
    os.waitpid(pid, 0)
    os.rename("fifo", "renamed")
    both = os.open("renamed", os.O_RDWR)
    os.write(both, b"under another name")
    print(os.read(both, 100))
    os.close(both)
    os.unlink("renamed")
    print(os.path.exists("renamed"))
    os.mknod("plain", 0o640)
    print(oct(os.stat("plain").st_mode))
    os.mknod("node", stat.S_IFIFO | 0o600)
    print(oct(os.stat("node").st_mode))
    os.unlink("node")


def sockets():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    print(repr(listener.getsockname()), stat.S_ISSOCK(os.stat("socket").st_mode))
    show("taken", socket.socket(socket.AF_UNIX).bind, "socket")
    show("nobody listens", socket.socket(socket.AF_UNIX).connect, "socket")
    print(socket.socket(socket.AF_UNIX).connect_ex("socket") == errno.ECONNREFUSED)
    show("missing", socket.socket(socket.AF_UNIX).connect, "missing")
    show("a file", socket.socket(socket.AF_UNIX).connect, "plain")
    show("opened", os.open, "socket", os.O_RDWR)
    listener.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(os.path.abspath("socket"))
    print(client.getpeername() == os.path.abspath("socket"))
    server, address = listener.accept()
    print(repr(address), repr(server.getsockname()))
    client.sendall(b"hello")
    print(server.recv(100))
    for end in (server, client, listener):
        end.close()
    show("nobody any more", socket.socket(socket.AF_UNIX).connect, "socket")
    os.unlink("socket")
    one, other = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in "ab")
    one.bind("one")
    other.bind(b"other")
    one.sendto(b"datagram", "other")
    print(other.recvfrom(100))
    other.sendmsg([b"an", b"swer"], [], 0, "one")
    print(one.recvfrom(100))
    os.unlink("one")
    os.unlink("other")


if __name__ == "__main__":
    fifos()
    sockets()
    context = multiprocessing.get_context("forkserver")
    queue = context.Queue()
    process = context.Process(target=double, args=(21, queue))
    process.start()
    print(queue.get())
    process.join()
    print(process.exitcode)
    size = os.statvfs(".")
    print(size.f_namemax, size.f_blocks >= size.f_bfree >= size.f_bavail)
    print(sorted(os.listdir(".")))
