"""Code in class bodies and in exec, comprehensions within classes, global and local names."""

names = []


def note(x):
    names.append(x)
    return x


class Body:
    first = note("first")
    many = [n * 2 for n in range(3)]
    if note(True):
        second = note("second")
    for index in range(2):
        third = note(index)

    class Inner:
        value = note("inner")

    def method(self):
        return __class__.__name__


print(names, Body.many, Body.second, Body.third, Body.Inner.value, Body().method())


def outer():
    local = note(5)

    class Local:
        copy = local

        def get(self):
            return local

    return Local


Local = outer()
print(Local.copy, Local().get(), Local.__qualname__)
space = {}
exec("for i in range(3):\n    total = sum([i, 1])\nprint('exec', total)", space)
print(sorted(key for key in space if not key.startswith("__")))
print(sorted(names, key=str), [[x + y for x in range(2)] for y in range(2)])
