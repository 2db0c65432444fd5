"""Metaclasses, __init_subclass__, __set_name__, descriptors, abstract classes."""

import abc


class Meta(type):
    made = []

    def __new__(meta, name, bases, space, **named):
        made = super().__new__(meta, name, bases, space)
        Meta.made.append((name, named))
        return made

    def __init__(cls, name, bases, space, **named):
        super().__init__(name, bases, space)

    def __call__(cls, *args):
        one = super().__call__(*args)
        one.stamp = len(Meta.made)
        return one

    def __len__(cls):
        return len(cls.__name__)


class Field:
    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, one, owner=None):
        return self if one is None else getattr(one, self.name, 0)

    def __set__(self, one, value):
        setattr(one, self.name, value + 1)


class Base(metaclass=Meta, flag=True):
    size = Field()
    subs = []

    def __init_subclass__(cls, tag=None, **named):
        super().__init_subclass__(**named)
        Base.subs.append((cls.__name__, tag))


class Leaf(Base, tag="leaf"):
    def __init__(self, size):
        self.size = size


leaf = Leaf(4)
for step in range(3):
    leaf.size += step
    print(leaf.size, leaf.stamp, len(Leaf))
print(Meta.made, Base.subs, type(Leaf) is Meta)


class Reader(abc.ABC):
    @abc.abstractmethod
    def read(self):
        """Read."""


class Real(Reader):
    def read(self):
        return "read"


@Reader.register
class Virtual:
    pass


print(Real().read(), isinstance(Virtual(), Reader), issubclass(Real, Reader))
try:
    Reader()
except TypeError as error:
    print("abstract", "read" in str(error))
