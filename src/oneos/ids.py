"""The kinds of identifier, kept apart by the type checker.

A host is known by its name, which is unique in a network. What it did before a restart is told
from what it does now by its incarnation, a number the control log hands out; what one holder of a
Kernel Agent decided is told from what the next one decides by the epoch.
"""

from typing import NewType

HostName = NewType("HostName", str)
ServiceName = NewType("ServiceName", str)
Incarnation = NewType("Incarnation", int)
Epoch = NewType("Epoch", int)
Pid = NewType("Pid", int)
Ino = NewType("Ino", int)
SessionId = NewType("SessionId", int)
Seq = NewType("Seq", int)
"""A position in a replicated log; the first record has 1."""
