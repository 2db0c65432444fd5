"""`multiprocessing` by each way of starting, pools and queues; prints what happened."""

import concurrent.futures
import multiprocessing
import os
import signal
import sys
from multiprocessing import shared_memory


def square(n):
    return n * n, open("in-tree").read()


def put(queue, word):
    queue.put((word, os.getppid()))


def fail():
    sys.exit(7)


def add(value, lock):
    for _ in range(100):
        with lock:
            value.value += 1


def main():
    with open("in-tree", "w") as f:
        f.write("text of the tree")
    for method in ("spawn", "fork"):
        print(method)
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        child = context.Process(target=put, args=(queue, "word"))
        child.start()
        word, parent = queue.get()
        child.join()
        print(word, parent == os.getpid(), child.exitcode)
        child = context.Process(target=fail)
        child.start()
        child.join()
        print(child.exitcode)
        child = context.Process(target=signal.pause)
        child.start()
        child.terminate()
        child.join()
        print(child.exitcode, child.is_alive())
        with context.Pool(3) as pool:
            print(pool.map(square, range(5)))
        value, lock = context.Value("i", 0), context.Lock()
        children = [context.Process(target=add, args=(value, lock)) for _ in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        print(value.value)
        one, other = context.Pipe()
        one.send({"a": [1, 2]})
        print(other.recv())
    with concurrent.futures.ProcessPoolExecutor(2, context) as executor:
        print(list(executor.map(square, range(3))))
    memory = shared_memory.SharedMemory(create=True, size=10)
    memory.buf[:2] = b"ab"
    print(bytes(memory.buf[:2]))
    memory.close()
    memory.unlink()


if __name__ == "__main__":
    main()
