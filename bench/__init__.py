"""What OneOS costs, next to the same work without it: `./do bench`.

A case is a piece of work that several contenders do in turn, in rounds that interleave them, so
that whatever the machine does meanwhile falls on all alike. The result is a ratio. The system under
test is a cluster of its own on loopback, with real Runtimes, real voters and synced writes; nothing
here is part of OneOS, and no test asserts a time.
"""
