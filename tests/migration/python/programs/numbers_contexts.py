"""Decimal contexts, traps and flags; fractions; generators of random numbers in mid-stream."""

import decimal
import fractions
import random
import statistics

decimal.getcontext().prec = 9
decimal.getcontext().traps[decimal.Inexact] = False
one = decimal.Decimal(1) / decimal.Decimal(7)
with decimal.localcontext() as inner:
    inner.prec = 30
    inner.rounding = decimal.ROUND_DOWN
    total = sum((decimal.Decimal(1) / n for n in range(1, 12)), decimal.Decimal(0))
    print(one, total, inner.flags[decimal.Inexact])
print(decimal.getcontext().prec, +total, decimal.getcontext().rounding)
own = decimal.Context(prec=4, Emax=99, traps=[decimal.Overflow])
print(own.divide(1, 3), own.flags[decimal.Inexact], own.create_decimal("2.71828"))
try:
    own.power(10, 200)
except decimal.Overflow:
    print("too much")
random.seed(7)
first, second = random.Random(3), random.Random("text")
drawn = [random.random() for _ in range(3)]
mixed = [(first.randrange(100), second.gauss(0, 1)) for _ in range(4)]
state = first.getstate()
after = [first.random() for _ in range(2)]
first.setstate(state)
print(drawn, mixed, after == [first.random() for _ in range(2)])
deck = list(range(20))
random.shuffle(deck)
print(deck, random.sample(deck, 4), random.choices("abc", [1, 2, 3], k=6), second.random())
half = fractions.Fraction(1, 2)
parts = [half / n + fractions.Fraction(n, 3) for n in range(1, 5)]
print(parts, float(sum(parts)), statistics.mean(deck), statistics.stdev([1, 2, 4, 8]))
