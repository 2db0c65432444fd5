"""Imported by modules_state.py; not a program."""

total = 0
log = []


def bump(n):
    global total
    total += n
    log.append(n)
    return total


def read():
    return total


class Thing:
    made = 0

    def __init__(self, n):
        self.n = n
        Thing.made += 1

    def __repr__(self):
        return f"Thing({self.n})"
