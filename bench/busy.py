"""Programs that only compute, in Python and JavaScript: each prints the least time of its work in
seconds. What they do is the same in both: numbers, calls, objects, texts and tables, generators.
"""

from __future__ import annotations

_PYTHON_END = """
import time
times = []
for _ in range(5):
    began = time.perf_counter()
    work()
    times.append(time.perf_counter() - began)
print(min(times))
"""

PYTHON = {
    "numbers": """
def work():
    x, y, z = 0.1, 0.2, 0.3
    for _ in range(400_000):
        x, y, z = y * 0.99 + z, z - x * 0.01, (x + y + z) % 1.0
    return x
""",
    "calls": """
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
def work():
    return fibonacci(23)
""",
    "objects": """
class Account:
    def __init__(self):
        self.total, self.count = 0, 0
    def add(self, amount):
        self.total += amount
        self.count += 1
def work():
    accounts = [Account() for _ in range(10)]
    for n in range(200_000):
        accounts[n % 10].add(n)
""",
    "tables": """
def work():
    seen = {}
    for n in range(150_000):
        key = "key-" + str(n % 1000)
        seen[key] = seen.get(key, 0) + len(key)
    return sorted(seen.items())
""",
    "generators": """
def numbers(end):
    for n in range(end):
        yield n
def work():
    return sum(n * n for n in numbers(300_000) if n % 3)
""",
}

_JAVASCRIPT_END = """
const times = [];
for (let n = 0; n < 7; n++) {
  const began = performance.now();
  work();
  times.push((performance.now() - began) / 1000);
}
console.log(Math.min(...times));
"""

JAVASCRIPT = {
    "numbers": """
function work() {
  let x = 0.1, y = 0.2, z = 0.3;
  for (let n = 0; n < 6e6; n++) [x, y, z] = [y * 0.99 + z, z - x * 0.01, (x + y + z) % 1];
  return x;
}
""",
    "calls": """
const fibonacci = (n) => (n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2));
const work = () => fibonacci(30);
""",
    "objects": """
class Account {
  constructor() { this.total = 0; this.count = 0; }
  add(amount) { this.total += amount; this.count += 1; }
}
function work() {
  const accounts = Array.from({ length: 10 }, () => new Account());
  for (let n = 0; n < 1e7; n++) accounts[n % 10].add(n);
}
""",
    "tables": """
function work() {
  const seen = new Map();
  for (let n = 0; n < 6e5; n++) {
    const key = 'key-' + (n % 1000);
    seen.set(key, (seen.get(key) ?? 0) + key.length);
  }
  return [...seen].sort();
}
""",
    "generators": """
function* numbers(end) { for (let n = 0; n < end; n++) yield n; }
function work() {
  let sum = 0;
  for (const n of numbers(2e6)) if (n % 3) sum += n * n;
  return sum;
}
""",
}

PROGRAMS = {
    "python": {name: text + _PYTHON_END for name, text in PYTHON.items()},
    "javascript": {name: text + _JAVASCRIPT_END for name, text in JAVASCRIPT.items()},
}
