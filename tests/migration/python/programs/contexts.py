"""with: our managers, contextlib's, several at once, exceptions swallowed and passed on."""

import contextlib
import io


class Manager:
    def __init__(self, name, swallow=False):
        self.name = name
        self.swallow = swallow

    def __enter__(self):
        print("enter", self.name)
        return self

    def __exit__(self, kind, error, traceback):
        print("exit", self.name, kind.__name__ if kind else None)
        return self.swallow


@contextlib.contextmanager
def generated(name):
    print("begin", name)
    try:
        yield name.upper()
    except ValueError as error:
        print("saw", error)
    finally:
        print("end", name)


with Manager("a") as a, Manager("b", swallow=True) as b:
    print(a.name, b.name)
    raise KeyError("k")
with generated("x") as x, generated("y") as y:
    print(x, y)
    raise ValueError("v")
with contextlib.ExitStack() as stack:
    for n in range(3):
        stack.enter_context(Manager(n))
    stack.callback(print, "callback")
    print("inside")
with contextlib.suppress(ZeroDivisionError):
    print(1 / 0)
with contextlib.redirect_stdout(io.StringIO()) as text:
    print("hidden")
    for n in range(2):
        print(n)
print(text.getvalue())
with contextlib.nullcontext(5) as five:
    print(five)
