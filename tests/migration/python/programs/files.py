"""Files half read and half written, by lines, blocks and positions."""

import os
import tempfile

with tempfile.TemporaryDirectory(prefix="moved-") as place:
    name = os.path.join(place, "text")
    with open(name, "w") as out:
        for n in range(6):
            out.write(f"line {n}\n")
            print("wrote", n)
    with open(name) as lines:
        for line in lines:
            print("read", line.strip())
    with open(name, "rb") as raw:
        while block := raw.read(7):
            print(raw.tell(), block)
    with open(name, "r+") as both:
        print(both.readline().strip(), both.tell())
        both.seek(0, os.SEEK_END)
        both.write("added\n")
        both.flush()
        both.seek(7)
        print(both.read())
    with open(name, "a") as more:
        more.write("é more\n")
    with open(name, encoding="utf-8") as text:
        print(text.read(9), text.tell(), text.readline(), text.closed)
        print(text.readlines())
    fd = os.open(name, os.O_RDONLY)
    print(os.read(fd, 4))
    print(os.read(fd, 4))
    os.close(fd)
    print(text.closed, os.path.getsize(name), sorted(os.listdir(place)))
