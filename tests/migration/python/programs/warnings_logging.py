"""Logging and warnings: state that the standard library keeps."""

import logging
import sys
import warnings

logging.basicConfig(
    level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s"
)
log = logging.getLogger("program.part")
log.setLevel(logging.DEBUG)
other = logging.getLogger("quiet")
other.addFilter(lambda record: record.args == (1,))
warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as caught:
    for n in range(2):
        warnings.warn(f"careful {n}", UserWarning)
        log.debug("step %d", n)
        other.warning("other %d", n)
    print([str(one.message) for one in caught])
print(logging.getLogger("program.part") is log, log.parent.name, log.isEnabledFor(10))
