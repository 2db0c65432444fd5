"""Iterators of itertools, half used."""

import itertools
import operator

made = {
    "count": itertools.count(5, 2),
    "cycle": itertools.cycle("abc"),
    "repeat": itertools.repeat("r", 9),
    "accumulate": itertools.accumulate([1, 2, 3, 4, 5, 6], operator.add),
    "chain": itertools.chain([1, 2], (3, 4), "xyz"),
    "compress": itertools.compress("abcdefgh", [1, 0, 1, 1, 0, 1, 1, 1]),
    "dropwhile": itertools.dropwhile(bool, [1, 1, 0, 1, 0, 1, 0]),
    "filterfalse": itertools.filterfalse(bool, [0, 1, 0, "", None, 0, 2]),
    "islice": itertools.islice(range(100), 3, 40, 4),
    "starmap": itertools.starmap(pow, [(2, 3), (3, 2), (4, 2), (5, 2), (6, 2)]),
    "takewhile": itertools.takewhile(bool, [1, 2, 3, 4, 5, 0, 6]),
    "zip_longest": itertools.zip_longest("ab", [1, 2, 3, 4, 5]),
    "product": itertools.product("ab", repeat=3),
    "permutations": itertools.permutations(range(4), 2),
    "combinations": itertools.combinations(range(5), 3),
    "combinations_with_replacement": itertools.combinations_with_replacement("abc", 2),
    "pairwise": itertools.pairwise(range(9)),
}
left, right = itertools.tee(iter(range(10)))
for turn in range(2):
    for name, one in made.items():
        print(turn, name, next(one))
    print("tee", next(left), next(left), next(right))
for name, one in made.items():
    print(name, list(itertools.islice(one, 2)))
for key, group in itertools.groupby("aabbbc"):
    print(key, list(group))
print(list(left), list(right))
