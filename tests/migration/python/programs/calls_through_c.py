"""Python called by C code whose rest is known: partial, getattr, str, iter, next, context.run."""

import contextvars
import functools

variable = contextvars.ContextVar("variable", default="unset")


class Text:
    def __str__(self):
        parts = ["a", "b"]
        return "+".join(parts)

    def __iter__(self):
        yield from (1, 2)

    def __len__(self):
        size = 2
        return size

    def __call__(self, x):
        return x * 2

    def __getattr__(self, name):
        made = name.upper()
        return made

    def method(self, x):
        return (self.__class__.__name__, x)


class Made:
    def __new__(cls, value):
        one = super().__new__(cls)
        one.early = value
        return one

    def __init__(self, value):
        self.late = value + 1


def in_context():
    variable.set("inside")
    value = variable.get()
    return value


def spread(*args, **named):
    total = sum(args)
    return total, sorted(named)


text = Text()
print(str(text), list(text), len(text), text(4), text.some, getattr(text, "other"))
print(functools.partial(text.method, 5)(), (text.method)(6), Text.method(text, 7))
made = Made(3)
print(made.early, made.late, spread(*[1, 2], **{"k": 1}), next(iter(text)))
context = contextvars.copy_context()
print(context.run(in_context), variable.get(), context[variable])
token = variable.set("outer")
print(variable.get())
variable.set("later")
print(f"{text}", repr(Made)[:6], format(text), bool(text))
