"""Threads with locks, conditions, queues, events and a join under way."""

import queue
import threading

lock, done = threading.Lock(), threading.Event()
tasks, results = queue.Queue(maxsize=2), []
condition, turn = threading.Condition(), 0
recursive = threading.RLock()


def worker(name):
    while (task := tasks.get()) is not None:
        with lock:
            results.append((task, task * task))
        tasks.task_done()
    with recursive, recursive:
        results.append((100 + name, "end"))


def taker(mine):
    global turn
    for _ in range(3):
        with condition:
            while turn != mine:
                condition.wait()
            turn = 1 - turn
            condition.notify_all()


workers = [threading.Thread(target=worker, args=(n,), name=f"w{n}") for n in range(2)]
takers = [threading.Thread(target=taker, args=(n,)) for n in range(2)]
for one in workers + takers:
    one.start()
for n in range(8):
    tasks.put(n)
tasks.join()
for _ in workers:
    tasks.put(None)
for one in workers + takers:
    one.join()
done.set()
print(sorted(results, key=str), turn, done.is_set(), [one.is_alive() for one in workers])
print(threading.current_thread().name, threading.active_count(), workers[0].name)
