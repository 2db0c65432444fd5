"""A Runtime as an OS process: its log file, its signals, its event loop, its fresh start.

`serve` runs one Runtime until it is told to stop. One that the network has given up while it lived
starts anew in the same process image by `execv`: nothing of its old life can be half kept.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import logging.handlers
import os
import signal
import sys
from pathlib import Path

from oneos import failpoints
from oneos.config import RuntimeConfig, load_config
from oneos.errors import OneOSError, UserError
from oneos.limits import LOG_FILE_BYTES_MAX, LOG_FILES_MAX
from oneos.runtime.node import Deposed, Node

log = logging.getLogger(__name__)

CONFIG = "oneos.toml"


def config_of(directory: Path) -> RuntimeConfig:
    """The configuration of the Runtime in a directory; its data lies in the same directory.

    Raises:
        ConfigError: the file is broken.
        UserError: there is none.
    """
    path = directory / CONFIG
    if not path.exists():
        raise UserError(
            f"there is no Runtime in {directory}",
            errno=2,
            hint="make one: oneos up (a new network) or oneos join (an existing one)",
        )
    return load_config(path, directory)


def serve(directory: Path, *, to_file: bool) -> int:
    """Run the Runtime of a directory in the foreground; returns its exit status.

    Args:
        directory: where its configuration and data lie.
        to_file: write the log to the directory instead of standard error.
    """
    _log(directory, to_file)
    try:
        config = config_of(directory)
        failpoints.arm(os.environ, directory)
        return _loop(_serve(config))
    except Deposed as error:
        log.warning("%s; starting anew", error)
        os.execv(sys.executable, [sys.executable, "-m", "oneos.cli.main", *sys.argv[1:]])
    except OneOSError as error:
        if to_file:
            log.error("%s", error.message)
        print(error.lines(), file=sys.stderr, flush=True)
        return 1


def _loop(work: object) -> int:
    assert asyncio.iscoroutine(work)
    try:
        import uvloop
    except ImportError:
        return int(asyncio.run(work))
    return int(uvloop.run(work))


async def _serve(config: RuntimeConfig) -> int:
    node = Node(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)
    # A handler, not SIG_IGN: what is ignored would stay ignored in every program started here.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    depart = False
    try:
        starting = asyncio.ensure_future(node.start())
        await asyncio.wait((starting, node.over), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait((starting,))
        else:
            starting.result()
            # What the start left behind is there for good; walking it again finds nothing.
            gc.collect()
            gc.freeze()
        await node.over
        depart = True
        log.info("stopping")
    finally:
        await node.close(depart=depart)
    return 0


def _log(directory: Path, to_file: bool) -> None:
    handler: logging.Handler
    if to_file:
        handler = logging.handlers.RotatingFileHandler(
            directory / "runtime.log", maxBytes=LOG_FILE_BYTES_MAX, backupCount=LOG_FILES_MAX
        )
    else:
        handler = logging.StreamHandler()
    level = os.environ.get("ONEOS_LOG", "INFO").upper()
    logging.basicConfig(
        level=level if level in logging.getLevelNamesMapping() else "INFO",
        handlers=[handler],
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
