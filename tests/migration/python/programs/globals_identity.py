"""What is the same object stays the same object."""

import collections
import os
import sys

sentinel = object()
table = {"sentinel": sentinel, "module": sys, "function": len, "type": int}
default = []


def function(a=default, *, b=sentinel):
    a.append(1)
    return a is default, b is sentinel


for turn in range(3):
    print(table["sentinel"] is sentinel, function(), table["module"] is sys)
    print(function.__globals__ is globals(), sys.modules["__main__"].__dict__ is globals())
    print(
        table["function"] is len,
        table["type"] is int,
        collections.OrderedDict is type(collections.OrderedDict()),
    )
    print(
        os.environ is os.environ, sys.stdout is sys.__stdout__, (lambda: 0).__globals__ is globals()
    )
    print(None is None, () is (), True is (1 == 1), "turn" in globals())
code = compile("x = turn * 2\ny = [x, x]", "<made>", "exec")
space = {"turn": 21}
exec(code, space)
print(space["x"], space["y"], eval("x + 1", space))
