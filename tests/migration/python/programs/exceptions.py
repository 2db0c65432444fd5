"""try, except, else, finally; exceptions being handled, their causes and tracebacks."""

import traceback


class Wrong(Exception):
    def __init__(self, code, *, detail="none"):
        super().__init__(f"wrong {code}")
        self.code = code
        self.detail = detail


def fails(n):
    if n % 3 == 0:
        raise Wrong(n, detail="three")
    if n % 3 == 1:
        return [][n]
    return {}["k"]


def guarded(n):
    try:
        fails(n)
    except Wrong as error:
        print("wrong", error.code, error.detail)
        try:
            raise ValueError("second") from error
        except ValueError as second:
            print(type(second.__cause__).__name__, second.__suppress_context__)
    except LookupError as error:
        print("lookup", type(error).__name__, error)
        raise
    else:
        print("never")
    finally:
        print("finally", n)


def returns():
    for one in range(3):
        try:
            if one == 1:
                return "from try"
        finally:
            print("cleanup", one)


def nested():
    try:
        try:
            1 / 0
        except ZeroDivisionError:
            print("inner")
            raise KeyError("k")
        finally:
            print("inner finally")
    except KeyError as error:
        print(type(error.__context__).__name__)
        print(
            [(frame.f_code.co_name, line) for frame, line in traceback.walk_tb(error.__traceback__)]
        )


for n in range(4):
    try:
        guarded(n)
    except LookupError as error:
        names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
        print("outer", names)
print(returns())
nested()
try:
    raise ExceptionGroup("many", [ValueError(1), TypeError(2), OSError(2, "gone")])
except* ValueError as group:
    print("values", group.exceptions)
except* (TypeError, OSError) as group:
    print("others", [type(one).__name__ for one in group.exceptions])
try:
    open("/nonexistent/file")
except FileNotFoundError as error:
    kept = error
print(kept.errno, kept.filename, kept)
