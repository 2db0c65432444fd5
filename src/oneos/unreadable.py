"""What tells that bytes are no message.

Bytes come from other hosts, from programs, and out of the logs; whoever reads them catches these,
and nothing else. Not part of `errors`, since msgspec takes longer to load than `oneos --help` does.
"""

import msgspec

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Text that is not UTF-8, and what is nested too deeply, have errors of Python's own."""
