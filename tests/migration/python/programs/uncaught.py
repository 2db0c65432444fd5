"""A program that ends by an exception: the text of its traceback is the same."""


def deeper(n):
    if n == 0:
        raise RuntimeError("the end")
    return deeper(n - 1) + 1


print("begin")
try:
    deeper(2)
except RuntimeError as error:
    print("caught", error)
deeper(3)
