"""Context variables, tokens, contexts within contexts."""

import contextvars
from contextlib import contextmanager

user = contextvars.ContextVar("user", default="nobody")
depth = contextvars.ContextVar("depth")


@contextmanager
def as_user(name):
    token = user.set(name)
    try:
        yield token.var is user
    finally:
        user.reset(token)


def descend(levels):
    depth.set(levels)
    if levels == 0:
        return [(user.get(), depth.get())]
    with as_user(f"user{levels}"):
        below = contextvars.copy_context().run(descend, levels - 1)
    return [(user.get(), depth.get()), *below]


def numbers():
    for n in range(3):
        user.set(f"generator{n}")
        yield user.get()


print(descend(4), user.get(), depth.get())
with as_user("outer") as fits:
    snapshot = contextvars.copy_context()
    print(fits, list(numbers()), user.get())
print(user.get(), snapshot[user], snapshot.run(user.get), len(snapshot) >= 1, user in snapshot)


class Calls:
    def method(self, a, *, b):
        user.set("method")
        return a, b, user.get()


empty = contextvars.Context()
print(empty.run(Calls().method, 1, b=2), empty[user], user.get(), depth in empty)
print(contextvars.copy_context().run(lambda: empty.run(lambda: (user.get(), depth.get("none")))))
