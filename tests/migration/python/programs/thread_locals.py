"""threading.local, also of a class whose __init__ runs in each thread."""

import threading

plain = threading.local()
plain.value = "of main"
made = []


class Own(threading.local):
    shared = "class"
    count = 0

    def __init__(self, start, *, step=1):
        made.append(threading.current_thread().name)
        self.values = [start]
        self.step = step

    def more(self):
        self.values.append(self.values[-1] + self.step)
        self.count += 1
        return self.values


class Slots(threading.local):
    __slots__ = ("number",)


own, slots = Own(10, step=3), Slots()
slots.number = 0
ready, go = threading.Barrier(3), threading.Event()


def work(name):
    plain.value = name
    for _ in range(3):
        own.more()
        slots.number += 1
    ready.wait()
    go.wait()
    own.more()
    lines.append((name, plain.value, own.values, own.count))


lines = []
threads = [threading.Thread(target=work, args=(f"t{n}",), name=f"t{n}") for n in range(2)]
for one in threads:
    one.start()
ready.wait()
print(own.more(), own.count, own.step, plain.value, sorted(vars(own)))
go.set()
for one in threads:
    one.join()
for line in sorted(lines):
    print(line)
print(slots.number, sorted(made), plain.value, own.shared, hasattr(plain, "other"))
