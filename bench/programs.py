"""The programs that all contenders run, as the text given to `python3 -c`: the same words for each.

They are plain programs that know nothing of who runs them. Those that measure use the monotonic
clock around single calls and print the samples as JSON, so that neither their start nor the way of
their output is in the figures.
"""

from __future__ import annotations

PASS = "pass"

ECHO = """
import os
while data := os.read(0, 65536):
    os.write(1, data)
"""

PRODUCE = """
import os, sys
left, block = int(sys.argv[1]), bytes(range(256)) * 1024
while left:
    left -= os.write(1, block[:left])
"""

CONSUME = """
import os
count = 0
while data := os.read(0, 1 << 20):
    count += len(data)
print(count)
"""

# Arguments: directory, number of files, which steps of `csru`, whether to sync as well.
SMALL_FILES = """
import json, os, sys, time
directory, count, steps, synced = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "1"
clock = time.perf_counter
paths = [f"{directory}/file-{number}" for number in range(count)]
def create(path, text=os.urandom(512).hex()):
    with open(path, "w") as file:
        file.write(path + text)
        if synced:
            file.flush()
            os.fsync(file.fileno())
    if synced:
        fd = os.open(directory, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
def read(path):
    with open(path) as file:
        assert len(file.read()) > 1024
calls = {"c": create, "s": os.stat, "r": read, "u": os.unlink}
names = {"c": "create", "s": "stat", "r": "read", "u": "unlink"}
if "c" in steps:
    os.makedirs(directory, exist_ok=True)
samples = {}
for step in steps:
    call, times = calls[step], []
    for path in paths:
        began = clock()
        call(path)
        times.append(clock() - began)
    samples[names[step]] = times
if "u" in steps:
    os.rmdir(directory)
print(json.dumps(samples))
"""

# Arguments: directory, programs, files of each, whether to sync as well. All begin at once; the
# sample is the time of all by the number of files.
SMALL_FILES_AT_ONCE = """
import json, os, sys, time
directory, programs, count, synced = *sys.argv[1:2], *map(int, sys.argv[2:4]), sys.argv[4] == "1"
os.makedirs(directory, exist_ok=True)
text = os.urandom(512).hex()
def create(path):
    with open(path, "w") as file:
        file.write(path + text)
        if synced:
            file.flush()
            os.fsync(file.fileno())
ready_read, ready = os.pipe()
wait, begin = os.pipe()
children = []
for program in range(programs):
    child = os.fork()
    if not child:
        os.close(begin)
        create(f"{directory}/first-{program}")
        os.write(ready, b".")
        os.read(wait, 1)
        for number in range(count):
            create(f"{directory}/{program}-{number}")
        os._exit(0)
    children.append(child)
have = 0
while have < programs:
    have += len(os.read(ready_read, programs))
began = time.perf_counter()
os.close(begin)
assert not any(os.waitpid(child, 0)[1] for child in children)
took = time.perf_counter() - began
for name in os.listdir(directory):
    os.unlink(f"{directory}/{name}")
os.rmdir(directory)
print(json.dumps({"create": [took / programs / count]}))
"""

# Arguments: directory, number of files. What a program does to a file that nobody else sees.
CYCLES = """
import json, os, sys, time
directory, count = sys.argv[1], int(sys.argv[2])
clock, text, times = time.perf_counter, b"x" * 1024, []
os.mkdir(directory)
for number in range(count):
    path = f"{directory}/file-{number}"
    began = clock()
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
    os.write(fd, text)
    os.close(fd)
    os.unlink(path)
    times.append(clock() - began)
os.rmdir(directory)
print(json.dumps({"cycle": times}))
"""

# Arguments: directory, the name of this program, seconds. Of the first of two in a pipeline the
# other has the figures on its standard input, and prints them with its own.
TOGETHER = """
import json, os, sys, time
directory, me, lasting = sys.argv[1], sys.argv[2], float(sys.argv[3])
clock, count, longest = time.perf_counter, 0, 0.0
os.makedirs(directory, exist_ok=True)
begun = last = clock()
while last - begun < lasting:
    os.close(os.open(f"{directory}/{me}-{count}", os.O_CREAT | os.O_WRONLY, 0o644))
    now = clock()
    longest, last, count = max(longest, now - last), now, count + 1
found = [] if me == "first" else json.load(sys.stdin)
print(json.dumps([*found, [longest, (last - begun) / count]]))
"""

# Arguments: path, bytes, `w` or `r` or `u`, whether to sync as well. Each block of 1 MiB is
# another, so that nothing is stored once for twice.
SEQUENTIAL = """
import json, os, sys, time
path, size, step, synced = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "1"
block = bytearray(os.urandom(1 << 20))
began = time.perf_counter()
if step == "w":
    with open(path, "wb", buffering=0) as file:
        for number in range(size >> 20):
            block[:8] = number.to_bytes(8, "big")
            assert file.write(block) == len(block)
        if synced:
            os.fsync(file.fileno())
elif step == "r":
    with open(path, "rb", buffering=0) as file:
        count = 0
        while got := file.readinto(block):
            count += got
    assert count == size, count
else:
    os.unlink(path)
took = time.perf_counter() - began
print(json.dumps({"rate": [size / took]}))
"""

# Arguments: directory, number of files, `make` or `look`. Each sample is the mean of many calls.
SEEN_CALLS = """
import json, os, sys, time
directory, count, step = sys.argv[1], int(sys.argv[2]), sys.argv[3]
path = f"{directory}/file-1"
if step == "make":
    os.makedirs(directory)
    for number in range(count):
        with open(f"{directory}/file-{number}", "w") as file:
            file.write("x" * 1024)
    sys.exit()
def read():
    with open(path) as file:
        file.read()
calls = {"stat": (200, lambda: os.stat(path)), "listdir": (2, lambda: os.listdir(directory)),
         "read": (20, read)}
measured, clock = {}, time.perf_counter
for name, (times, call) in calls.items():
    call()
    # What was made a moment ago counts as being written, and is not kept yet.
    time.sleep(1)
    call()
    measured[name] = []
    for _ in range(10):
        began = clock()
        for _ in range(times):
            call()
        measured[name].append((clock() - began) / times)
print(json.dumps(measured))
"""

# Arguments: directory, number of files. Each sample of a quick call is the mean of many.
CONTEXT_CALLS = """
import json, os, sys, time
directory, count = sys.argv[1], int(sys.argv[2])
clock = time.perf_counter
os.makedirs(directory)
for number in range(count):
    os.close(os.open(f"{directory}/file-{number}", os.O_CREAT | os.O_WRONLY))
path = f"{directory}/read"
with open(path, "w") as file:
    file.write("x" * 1024)
def read():
    with open(path) as file:
        file.read()
def scan():
    with os.scandir(directory) as entries:
        for entry in entries:
            entry.stat()
other = f"{directory}/written"
opened = open(other, "w+b", buffering=0)
calls = {
    "listdir": (5, 2, lambda: os.listdir(directory)),
    "scan": (5, 1, scan),
    "read": (10, 20, read),
    "write8": (10, 200, lambda: opened.write(b"01234567")),
    "pread": (10, 200, lambda: os.pread(opened.fileno(), 100, 0)),
}
def sample(samples, times, call):
    found = []
    for _ in range(samples):
        began = clock()
        for _ in range(times):
            call()
        found.append((clock() - began) / times)
    return found
measured = {name: sample(*how) for name, how in calls.items()}
opened.close()
measured["stat"] = sample(10, 200, lambda: os.stat(path))
for name in os.listdir(directory):
    os.unlink(f"{directory}/{name}")
os.rmdir(directory)
print(json.dumps(measured))
"""

# Argument: what it holds. It looks at the clock each millisecond until SIGTERM, and prints when it
# found that more than four were gone, and how many.
CLOCK = """
import array, json, signal, sys, time
class Point:
    __slots__ = ("x",)
    def __init__(self, x):
        self.x = x
held = {
    "small": lambda: None,
    "bytes": lambda: bytes(range(256)) * (400 << 10),
    "arrays": lambda: [array.array("d", bytes(range(8)) * (1280 << 10)) for _ in range(10)],
    "objects": lambda: [Point(n) for n in range(1_000_000)],
}[sys.argv[1]]()
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
print("ready", flush=True)
gaps, last = [], time.time()
while not over:
    time.sleep(0.001)
    now = time.time()
    if now - last > 0.004:
        gaps.append((last, now))
    last = now
print(json.dumps(gaps))
"""
