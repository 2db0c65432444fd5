"""The name space carrier of the evaluation context: the tree served over /dev/fuse.

`main` is the file process, one beside each Runtime that runs native programs; it asks the Runtime
by the local protocol, as any client does, and holds nothing that the Runtime would have to trust.
"""
