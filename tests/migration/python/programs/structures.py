"""Cycles, shared objects, deep lists, sets whose order has a history."""

loop = [1]
loop.append(loop)
pair = ({}, [])
pair[0]["self"] = pair
pair[1].append(pair)


class Node:
    def __init__(self, value, next=None):
        self.value, self.next = value, next


first = last = Node(0)
for n in range(1, 300):
    last.next = Node(n)
    last = last.next
last.next = first
deep = []
for n in range(500):
    deep = [deep, n]
shared = ["shared"]
table = {"a": shared, "b": shared, 1: (shared, shared), None: frozenset([1, 2])}
words = set(f"word{n}" for n in range(60))
for n in range(50):
    words.discard(f"word{n}")
words.add("more")
nested = {frozenset([1, frozenset([2, 3])]): "f", (1, (2, 3)): "t", frozenset(): "e"}
for turn in range(3):
    print(loop[1] is loop, pair[0]["self"] is pair, pair[1][0] is pair)
    print(table["a"] is table["b"], table[1][0] is shared, table[None])
    print(list(words), nested[frozenset([frozenset([3, 2]), 1])], nested[1, (2, 3)])
    shared.append(turn)
node, count = first, 0
while count < 301:
    node, count = node.next, count + 1
print(node.value, count, len(deep), deep[1])
height, at = 0, deep
while at:
    at, height = at[0], height + 1
print(height, {1: 2}.keys() | {3}, 10**50, -(2**70), 1.5e300, 3 + 4j, b"\x00\xff", "\ud800é𝒳")
