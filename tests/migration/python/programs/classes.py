"""Instances, inheritance, slots, properties, class and static methods, super."""


class Shape:
    count = 0
    registry = {}

    def __init__(self, name):
        self.name = name
        Shape.count += 1
        self.registry[name] = self

    def area(self):
        return 0

    @property
    def label(self):
        return f"{self.name}:{self.area()}"

    @label.setter
    def label(self, value):
        self.name = value.upper()

    @classmethod
    def make(cls, *args):
        return cls(*args)

    @staticmethod
    def twice(x):
        return x * 2


class Square(Shape):
    __slots__ = ("side", "unset")

    def __init__(self, side):
        super().__init__(f"square{side}")
        self.side = side

    def area(self):
        return super().area() + self.side**2


class Point:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __eq__(self, other):
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    def __hash__(self):
        return hash((self.x, self.y))

    def __repr__(self):
        return f"Point({self.x}, {self.y})"


for side in range(3):
    shape = Square.make(side)
    print(shape.label, Shape.count, isinstance(shape, Shape), Shape.twice(side))
shape.label = "renamed"
print(shape.name, sorted(Shape.registry))
points = {Point(1, 2): "a", Point(3, 4): "b"}
print(points[Point(1, 2)], Point(3, 4) in points, len({Point(0, 0), Point(0, 0)}))
try:
    print(Point(1, 1).z)
except AttributeError as error:
    print("no z:", error.name)
print(type(shape).__mro__, vars(shape), Square.__slots__)
bound = shape.area
print(bound(), Shape.area(shape), Square.area.__qualname__)
