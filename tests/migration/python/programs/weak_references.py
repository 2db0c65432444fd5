"""Weak references with callbacks, weak containers, and objects that end."""

import weakref


class Thing:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"Thing({self.name})"

    def __del__(self):
        ended.append(self.name)

    def method(self):
        return self.name.upper()


ended, called = [], []
things = {name: Thing(name) for name in ("a", "b", "c", "d")}
refs = [weakref.ref(one, lambda ref: called.append(ref() is None)) for one in things.values()]
values = weakref.WeakValueDictionary(things)
keys = weakref.WeakKeyDictionary({one: one.name * 2 for one in things.values()})
group = weakref.WeakSet(things.values())
bound = weakref.WeakMethod(things["a"].method)
same = weakref.ref(things["b"]) is weakref.ref(things["b"])
print(len(values), len(keys), len(group), bound()(), same)
del things["a"]
print(bound(), called, ended, sorted(values), sorted(keys.values()))
for name in ("b", "c"):
    one = things.pop(name)
    print(weakref.getweakrefcount(one) > 0, one in group, keys[one])
    del one
print([ref() for ref in refs], len(group), ended, called)
cycle = Thing("cycle")
cycle.me = cycle
ref = weakref.ref(cycle)
print(ref() is cycle, ref().me.me.name)
cycle.me = None
del cycle
print(ref(), ended, list(values.items()), weakref.ref(things["d"])().name)
