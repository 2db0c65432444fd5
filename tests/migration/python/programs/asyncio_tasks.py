import asyncio
import contextvars

WHO = contextvars.ContextVar("WHO", default="nobody")


async def worker(name, queue, results, lock):
    WHO.set(name)
    while True:
        item = await queue.get()
        if item is None:
            queue.task_done()
            return f"{name} done"
        async with lock:
            total = 0
            for n in range(item):
                total += n * n
            results.append((item, total))
        queue.task_done()
        await asyncio.sleep(0)


async def waits(event, condition, semaphore):
    async with semaphore:
        await event.wait()
    async with condition:
        condition.notify_all()
    return WHO.get()


async def slow():
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        print("cancelled")
        raise
    finally:
        print("cleaned up")


async def fails(n):
    await asyncio.sleep(0)
    raise ValueError(n)


async def group():
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(asyncio.sleep(0.001, "slept"), name="first")
        second = tasks.create_task(fails_not(7))
    return first.result(), second.result(), first.get_name()


async def fails_not(n):
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.001, future.set_result, n)
    return await future


async def main():
    loop = asyncio.get_running_loop()
    queue, results, lock = asyncio.Queue(3), [], asyncio.Lock()
    names = [f"w{n}" for n in range(3)]
    tasks = [asyncio.create_task(worker(n, queue, results, lock), name=n) for n in names]
    for n in range(9):
        await queue.put(n)
    for _ in tasks:
        await queue.put(None)
    await queue.join()
    print(await asyncio.gather(*tasks), sorted(results))
    event, condition = asyncio.Event(), asyncio.Condition()
    semaphore = asyncio.BoundedSemaphore(2)
    WHO.set("main")
    waiting = [asyncio.ensure_future(waits(event, condition, semaphore)) for _ in range(4)]
    await asyncio.sleep(0)
    event.set()
    async with condition:
        await condition.wait()
    print(await asyncio.wait_for(asyncio.gather(*waiting), 5))
    try:
        await asyncio.wait_for(slow(), 0.005)
    except TimeoutError:
        print("too slow")
    try:
        async with asyncio.timeout(0.005):
            await asyncio.Event().wait()
    except TimeoutError:
        print("timed out")
    print(await group())
    done = await asyncio.gather(fails(1), fails(2), return_exceptions=True)
    print([repr(one) for one in done])
    some = [asyncio.create_task(asyncio.sleep(0.001 * n, n)) for n in range(4)]
    for one in asyncio.as_completed(some):
        print("completed", await one)
    never = asyncio.create_task(slow())
    done, pending = await asyncio.wait([never, *some], return_when=asyncio.FIRST_COMPLETED)
    never.cancel("enough")
    try:
        await never
    except asyncio.CancelledError as error:
        print(len(done), len(pending), error.args, never.cancelled(), never.cancelling())
    called = []
    loop.call_soon(called.append, 1)
    loop.call_later(0.001, called.append, 2)
    handle = loop.call_later(0.002, called.append, 3)
    dropped = loop.call_later(0.001, called.append, 4)
    dropped.cancel()
    await asyncio.sleep(0.01)
    print(called, handle.cancelled(), dropped.cancelled(), asyncio.current_task() is me)
    print(type(me) is asyncio.Task, isinstance(never, asyncio.Future), len(asyncio.all_tasks()))
    return "returned"


async def outer():
    global me
    me = asyncio.current_task()
    return await main()


print(asyncio.run(outer()))
