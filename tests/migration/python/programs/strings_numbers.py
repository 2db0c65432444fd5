"""Long computations with numbers and text: many positions inside of expressions."""

import decimal
import math

decimal.getcontext().prec = 12
value = decimal.Decimal(2)
for n in range(4):
    value = value.sqrt() + decimal.Decimal(n) / 3
    print(value)
with decimal.localcontext() as local:
    local.prec = 5
    print(decimal.Decimal(1) / 7)
print(decimal.Decimal(1) / 7)
primes, n = [], 2
while len(primes) < 12:
    if all(n % p for p in primes if p * p <= n):
        primes.append(n)
    n += 1
print(primes, math.gcd(84, 36), math.isqrt(200), 7**40, -7 // 2, -7 % 3, divmod(17, 5))
words = "the quick brown fox jumps over the lazy dog".split()
table = {}
for word in words:
    table.setdefault(len(word), []).append(word.title())
print(table, "-".join(sorted(table[5])), "{:08.3f}|{:>5}|{!r}".format(math.pi, "x", "y"))
print(
    bytes(range(65, 70)).decode(),
    "é".encode(),
    "%d%%" % 5,
    int("ff", 16),
    hex(255),
    1e-7,
    0.1 + 0.2,
)
