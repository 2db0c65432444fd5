"""Weak references, finalizers and the order of ends."""

import weakref


class Thing:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("gone", self.name)


kept = Thing("kept")
ref = weakref.ref(kept)
values, keys, group = weakref.WeakValueDictionary(), weakref.WeakKeyDictionary(), weakref.WeakSet()
values["k"] = kept
keys[kept] = "value"
group.add(kept)
dead = weakref.ref(Thing("short"))
called = []
with_call = weakref.ref(kept, lambda _: called.append(1))
for turn in range(3):
    print(ref() is kept, values["k"] is kept, keys[kept], len(group), dead())
    other = Thing(turn)
del kept, other
print(ref(), len(values), len(keys), len(group), called)
