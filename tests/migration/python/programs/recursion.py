"""A deep stack, and a limit that is found at the same depth."""

import sys


def down(n):
    if n == 0:
        return 0
    return down(n - 1) + 1


def endless(n):
    global deepest
    deepest = n
    return endless(n + 1)


sys.setrecursionlimit(400)
print(down(200))
total = 0
for n in range(3):
    total += down(50 + n)
print(total)
try:
    endless(0)
except RecursionError as error:
    print("too deep", deepest > 300, type(error).__name__)
