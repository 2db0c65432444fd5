"""Moving a running program: its image is taken in one interpreter, and goes on in another.

Runs inside programs: it imports the standard library and its neighbours only. `extension.load` has
to come first, for all else needs the extension that `runtime/extensions.py` builds.

    extension.load(path)             once, in a program that is to be movable
    capture.capture(deadline_s)      in a thread that is not the program's: its image, or NotSafe
    restore.restore(image).run()     in a fresh interpreter: the program goes on to its end
    serving.Door(descriptor)         answers requests to capture, and waits for them at no cost

How it works, and what moves: docs/migration.md.
"""
