"""Modules of the program's own, with state."""

import helper_module
from helper_module import Thing, bump

for n in range(3):
    bump(n)
    thing = Thing(n)
    print(helper_module.total, helper_module.log, thing, Thing.made)
print(helper_module.__name__, bump.__module__, type(thing).__module__)
helper_module.total = 100
print(bump(1), helper_module.read())
