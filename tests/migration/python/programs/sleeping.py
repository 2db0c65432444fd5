"""Sleeps and clocks: what is left of a sleep is slept, and clocks never go back."""

import time

before = time.monotonic()
cpu = time.process_time()
for n in range(3):
    time.sleep(0.01)
    now = time.monotonic()
    print(n, now - before >= 0.009 * (n + 1), now - before < 60, time.process_time() >= cpu)
print(time.time() > 1e9, time.perf_counter() > 0, time.monotonic_ns() // 10**9 >= int(before))
