"""Empty files made ahead, for what somebody waits for.

To make a file takes 30 us on an idle disk, and half a millisecond and more while the file system
writes its journal (measured on ext4), as it does for each sync. A file that is there already can be
opened, written and renamed meanwhile. All calls block; they may come from several threads at once.
Their names are safe: so what is written to one and synced is found after a power cut, under that
name or the one it was given since.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable

from oneos.limits import SPARES_MAX
from oneos.storage.disk import as_file_error, remove, sync_directory


class Spares:
    """Empty files in a directory of their own; what an earlier life left there is removed.

    None is made before the first is asked for, nor is the directory.

    Args:
        adopt: gets the path of each file that an earlier life has written to, before it is removed;
            it may give it another name.

    Raises:
        FileError: the directory cannot be read.
    """

    def __init__(self, directory: str, adopt: Callable[[str], None] | None = None) -> None:
        self._directory = directory
        self._serial = itertools.count()
        self._lock = threading.Lock()
        self._ready: list[str] = []
        self._making = False
        with as_file_error(directory):
            left = os.listdir(directory) if os.path.isdir(directory) else []
            for name in left:
                path = os.path.join(directory, name)
                if adopt is not None and os.stat(path).st_size:
                    adopt(path)
                remove(path)

    def take(self) -> str | None:
        """The path of an empty file, which is the caller's from now on; None: make one."""
        with self._lock:
            path = self._ready.pop() if self._ready else None
            begin = not self._making and len(self._ready) < SPARES_MAX // 2
            self._making = self._making or begin
        if begin:
            threading.Thread(target=self._make, name="spare files", daemon=True).start()
        return path

    def _make(self) -> None:
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            sync_directory(os.path.dirname(self._directory))
            made = []
            for _ in range(SPARES_MAX - len(self._ready)):
                path = os.path.join(self._directory, str(next(self._serial)))
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(path, flags, 0o600))
                made.append(path)
            sync_directory(self._directory)
            self._ready += made
        except OSError:
            # Whoever makes one by himself learns what is wrong.
            pass
        finally:
            with self._lock:
                self._making = False
