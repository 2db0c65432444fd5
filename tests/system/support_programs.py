"""Programs that the tests run in the tree: ordinary Python, which knows nothing of OneOS."""

WRITE_FILES = """\
import os, sys
# Writes files whose content says which they are, and says after each close that it returned.
directory, count, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
import time
for number in range(count):
    try:
        with open(f"{directory}/f{number:05d}", "w") as file:
            file.write(f"{number}\\n" * (1 + number % 200))
    except OSError as error:
        print("failed", number, error.errno, flush=True)
        continue
    print("closed", number, flush=True)
    time.sleep(pause)
print("end", flush=True)
"""


def content_of(number: int) -> bytes:
    """What WRITE_FILES puts into file `number`."""
    return f"{number}\n".encode() * (1 + number % 200)


CHECK_FILES = """\
import os, sys
# Says of each file in a directory whether it is whole; of what is not, what it holds.
directory = sys.argv[1]
for name in sorted(os.listdir(directory)):
    number = int(name[1:])
    with open(f"{directory}/{name}") as file:
        text = file.read()
    whole = text == f"{number}\\n" * (1 + number % 200)
    print(number, "whole" if whole else f"broken: {len(text)} characters, {text[:20]!r}")
"""
