"""Loggers, handlers, filters, formatters and a buffer of records."""

import io
import logging
import logging.handlers

stream = io.StringIO()


class Even(logging.Filter):
    def filter(self, record):
        return record.args[0] % 2 == 0 if record.args else True


handler = logging.StreamHandler(stream)
handler.setFormatter(logging.Formatter("%(levelname)s:%(name)s:%(message)s"))
memory = logging.handlers.MemoryHandler(3, logging.ERROR, handler)
root = logging.getLogger()
root.addHandler(memory)
root.setLevel(logging.INFO)
child = logging.getLogger("garden.sensor")
child.addFilter(Even())
logging.addLevelName(25, "NOTICE")
adapter = logging.LoggerAdapter(logging.getLogger("garden"), {"where": "shed"})
for n in range(6):
    child.info("read %d", n)
    if n == 3:
        try:
            raise ValueError(n)
        except ValueError:
            adapter.exception("failed")
child.log(25, "noticed")
child.setLevel(logging.ERROR)
child.warning("dropped")
with_extra = logging.makeLogRecord({"msg": "made %s", "args": ("by hand",), "levelno": 30})
memory.handle(with_extra)
memory.flush()
lines = [line for line in stream.getvalue().splitlines() if not line.startswith("  ")]
print("\n".join(lines))
print(
    child.getEffectiveLevel(),
    logging.getLevelName(25),
    child.parent.name,
    root.handlers[0] is memory,
)
print(
    logging.getLogger("garden.sensor") is child,
    child.isEnabledFor(logging.INFO),
    len(memory.buffer),
)
