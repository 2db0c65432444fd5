"""numpy arrays, views and scalars."""

try:
    import numpy
except ImportError:
    print("numpy is not installed")
    raise SystemExit(0) from None

a = numpy.arange(12, dtype="f8").reshape(3, 4)
view = a[1]
mixed = {
    "i": numpy.int64(5),
    "s": numpy.array(["x", "yy"]),
    "o": numpy.array([1, "a"], dtype=object),
}
for turn in range(3):
    a += turn
    print(a.sum(), a.shape, a.dtype, view.tolist() if turn == 0 else len(view))
    print(mixed["i"] + turn, mixed["s"].tolist(), mixed["o"].tolist(), (a > 3).sum())
big = numpy.zeros(20000)
for turn in range(2):
    big[turn] = turn + 1
    print(big.sum(), big.flags.writeable)
