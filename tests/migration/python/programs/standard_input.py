"""Standard input in mid-read."""

import sys

print(sys.stdin.readline().strip() or "empty")
for line in sys.stdin:
    print("line", line.strip())
print("over", sys.stdin.read())
sys.stderr.write("to the other stream\n")
