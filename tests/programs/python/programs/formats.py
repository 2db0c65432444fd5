# ruff: noqa: SIM115, I001
"""The standard library's own readers and writers of files; prints what happened."""

import bz2
import codecs
import configparser
import csv
import dbm.dumb
import fileinput
import filecmp
import gzip
import hashlib
import json
import linecache
import logging
import lzma
import pickle
import shelve
import tarfile
import tokenize
import wave
import zipfile
import os
import tomllib
import xml.etree.ElementTree as ET

with open("j.json", "w") as f:
    json.dump({"a": [1, 2, None]}, f)
print(json.load(open("j.json")))
with open("c.csv", "w", newline="") as f:
    csv.writer(f).writerows([[1, "a,b"], [2, 'q"']])
print(open("c.csv", newline="").read(), list(csv.reader(open("c.csv", newline=""))))
config = configparser.ConfigParser()
config["s"] = {"k": "v"}
with open("i.ini", "w") as f:
    config.write(f)
again = configparser.ConfigParser()
print(again.read(["i.ini", "nope.ini"]), again["s"]["k"])
with open("p.pickle", "wb") as f:
    pickle.dump({"x": (1, 2)}, f)
print(pickle.load(open("p.pickle", "rb")))
for module, name in ((gzip, "z.gz"), (bz2, "z.bz2"), (lzma, "z.xz")):
    with module.open(name, "wt") as f:
        f.write("compressed\n" * 1000)
    print(len(module.open(name, "rt").read()), os.path.getsize(name) < 500)
with zipfile.ZipFile("z.zip", "w") as z:
    z.writestr("in/it.txt", "zipped")
    z.write("j.json")
with zipfile.ZipFile("z.zip") as z:
    print(z.namelist(), z.read("in/it.txt"))
    z.extractall("unzipped")
print(open("unzipped/in/it.txt").read())
with tarfile.open("t.tar.gz", "w:gz") as t:
    t.add("unzipped")
with tarfile.open("t.tar.gz") as t:
    print(sorted(t.getnames()))
    t.extractall("untarred", filter="data")
print(open("untarred/unzipped/j.json").read())
with shelve.Shelf(dbm.dumb.open("shelf")) as shelf:
    shelf["k"] = [1]
with shelve.Shelf(dbm.dumb.open("shelf")) as shelf:
    print(dict(shelf))
logging.basicConfig(filename="log.txt", level=logging.INFO, format="%(levelname)s %(message)s")
logging.info("logged")
logging.shutdown()
print(open("log.txt").read())
with codecs.open("u.txt", "w", "utf-16-le") as f:
    f.write("kódováno")
print(codecs.open("u.txt", encoding="utf-16-le").read())
with fileinput.input(["c.csv", "log.txt"]) as lines:
    print([(fileinput.filename(), line) for line in lines])
with fileinput.input("log.txt", inplace=True) as lines:
    for line in lines:
        print(line.upper(), end="")
print(open("log.txt").read(), filecmp.cmp("log.txt", "c.csv"))
print(linecache.getline("c.csv", 1), tokenize.open("i.ini").encoding)
with open("j.json", "rb") as f:
    print(hashlib.file_digest(f, "sha256").hexdigest())
ET.ElementTree(ET.fromstring("<a><b/></a>")).write("x.xml")
print(ET.parse("x.xml").getroot()[0].tag)
with wave.open("w.wav", "wb") as w:
    w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000)
    w.writeframes(b"\0\1" * 100)
print(wave.open("w.wav").getnframes())
with open("t.toml", "wb") as f:
    f.write(b"a = 1\n")
print(tomllib.load(open("t.toml", "rb")))
