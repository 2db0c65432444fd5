"""A loop with threads of an executor, signals, and a loop in a thread of its own."""

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor


def square(n):
    total = 0
    for _ in range(n):
        total += n
    return total


async def main():
    loop = asyncio.get_running_loop()
    got = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, got.set)
    print(await asyncio.gather(*(asyncio.to_thread(square, n) for n in range(5))))
    os.kill(os.getpid(), signal.SIGUSR1)
    await got.wait()
    with ThreadPoolExecutor(2) as pool:
        print(await asyncio.gather(*(loop.run_in_executor(pool, square, n) for n in range(6))))
    print(loop.remove_signal_handler(signal.SIGUSR1), got.is_set())
    future = loop.create_future()
    threading.Timer(0.001, loop.call_soon_threadsafe, (future.set_result, "from a timer")).start()
    return await future


def other():
    async def inside():
        await asyncio.sleep(0.001)
        task = asyncio.current_task()
        return task.get_loop() is asyncio.get_running_loop(), threading.current_thread().name

    results.append(asyncio.run(inside()))


results = []
print(asyncio.run(main()))
thread = threading.Thread(target=other, name="another")
thread.start()
thread.join()
print(results)
