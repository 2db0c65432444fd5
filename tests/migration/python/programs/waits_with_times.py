"""Waits that end by their time, and by what is waited for."""

import queue
import select
import threading
import time

lock, event, condition = threading.Lock(), threading.Event(), threading.Condition()
lock.acquire()
began = time.monotonic()
print(lock.acquire(timeout=0.02), lock.acquire(True, 0.01), lock.acquire(False))
print(event.wait(0.01), time.monotonic() - began >= 0.04)
with condition:
    print(condition.wait(0.01), condition.wait_for(lambda: True, 0.01))
try:
    queue.Queue().get(timeout=0.01)
except queue.Empty:
    print("nothing")
try:
    queue.SimpleQueue().get(timeout=0.01)
except queue.Empty:
    print("nothing simple")
epoll = select.epoll()
print(select.select([], [], [], 0.01), epoll.poll(0.01), time.monotonic() - began >= 0.09)
epoll.close()
threading.Timer(0.01, lock.release).start()
print(lock.acquire(timeout=30), time.monotonic() - began < 25)
simple = queue.SimpleQueue()
simple.put("first")
threading.Timer(0.01, simple.put, ("second",)).start()
print(simple.get(), simple.get(timeout=30), simple.empty())
semaphore = threading.Semaphore(1)
print(semaphore.acquire(), semaphore.acquire(timeout=0.01))
