"""`io.FileIO` for a program: the C class, with opening and closing that know the tree.

Reading and writing stay in C. Opening a path of the tree asks the Runtime for the descriptor;
closing closes it and then has the Runtime commit, and the Runtime's error is raised from `close()`,
by `with` and (as ever) swallowed when the file is merely collected. An object whose file lives on
another host changes its class as it opens, to one that reads and writes by requests.
"""

import _io
import errno

from .failure import os_error, seamless
from .paths import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .descriptors import Descriptors
    from .remote import Handle

RealFileIO = _io.FileIO


def make_file_io(descriptors: "Descriptors") -> "type[Any]":
    """The class that takes the place of `io.FileIO`.

    Args:
        descriptors: opens and closes, and knows which file a descriptor is.
    """
    paths, table, remote = descriptors.paths, descriptors.table, descriptors.remote

    class _FileIOType(type):
        """What C made (the standard streams, the host's files) is a `FileIO` too."""

        def __instancecheck__(cls, instance: object) -> bool:
            if cls is FileIO:
                return isinstance(instance, RealFileIO)
            return type.__instancecheck__(cls, instance)

        def __subclasscheck__(cls, subclass: type) -> bool:
            if cls is FileIO:
                return issubclass(subclass, RealFileIO)
            return type.__subclasscheck__(cls, subclass)

    class FileIO(RealFileIO, metaclass=_FileIOType):  # type: ignore[metaclass]
        __module__ = "_io"
        __doc__ = RealFileIO.__doc__

        @seamless
        def __init__(
            self, file: "Any", mode: str = "r", closefd: bool = True, opener: "Any" = None
        ) -> None:
            opened: list[int] = []
            if opener is None and not isinstance(file, int):
                where = paths.locate(file)
                if where:

                    def opener(name: "Any", flags: int) -> int:
                        opened.append(descriptors.open_in_tree(where, name, flags, 0o666))
                        return opened[0]

                elif where is None:
                    refuse_writing(file, mode)
                    file = paths.native(file)
            try:
                RealFileIO.__init__(self, file, mode, closefd, opener)
            except BaseException:
                # C has closed the descriptor; the file at the Runtime is ours to close.
                for fd in opened:
                    handle = table.pop(fd, None)
                    if handle is not None:
                        descriptors.release(handle)
                raise
            handle = table.get(self.fileno())
            if handle is not None and handle.stream:
                self.__class__ = made_class(type(self), StreamFileIO)
            if handle is not None and handle.kind == "remote":
                self.__class__ = made_class(type(self), FarFileIO)
                if "a" in mode:
                    remote.seek(handle, 0, 2)  # As C does natively, to no effect here.

        @seamless
        def close(self) -> None:
            if self.closed or not self.closefd:
                return RealFileIO.close(self)
            try:
                handle = table.pop(self.fileno(), None)
            except ValueError:
                handle = None  # Its opening failed: there is nothing to close.
            try:
                RealFileIO.close(self)
            finally:
                if handle is not None:
                    descriptors.release(handle)
            return None

        def __repr__(self) -> str:
            return RealFileIO.__repr__(self).replace("<FileIO ", "<_io.FileIO ", 1)

    class Far:
        # The other half of each object is a FileIO: `closed` and `fileno` come from it.
        """The methods of a `FileIO` whose content is at another host."""

        __slots__ = ()
        __module__ = "_io"
        closed: bool
        fileno: "Callable[[], int]"

        def handle_of(self, need: str = "") -> "Handle":
            if self.closed:
                raise ValueError("I/O operation on closed file")
            if need and not getattr(self, need)():
                word = {"readable": "reading", "writable": "writing"}[need]
                raise _io.UnsupportedOperation(f"File not open for {word}")
            return table[self.fileno()]

        @seamless
        def readinto(self: "Any", buffer: "Any") -> int:
            view = memoryview(buffer).cast("B")
            data = remote.read(self.handle_of("readable"), len(view))
            view[: len(data)] = data
            return len(data)

        @seamless
        def read(self: "Any", size: "int | None" = -1) -> bytes:
            if size is None or size < 0:
                return self.readall()
            return remote.read(self.handle_of("readable"), size)

        @seamless
        def readall(self: "Any") -> bytes:
            handle = self.handle_of("readable")
            parts = []
            while part := remote.read(handle, 1 << 20):
                parts.append(part)
            return b"".join(parts)

        @seamless
        def write(self: "Any", data: "Any") -> int:
            return remote.write(self.handle_of("writable"), data)

        @seamless
        def seek(self: "Any", offset: int, whence: int = 0) -> int:
            return remote.seek(self.handle_of(), offset, whence)

        @seamless
        def tell(self: "Any") -> int:
            return self.handle_of().offset

        @seamless
        def truncate(self: "Any", size: "int | None" = None) -> int:
            handle = self.handle_of("writable")
            size = handle.offset if size is None else size
            remote.truncate(handle, size)
            return size

        @seamless
        def seekable(self: "Any") -> bool:
            self.handle_of()
            return True

    class FarFileIO(Far, FileIO):
        __module__ = "_io"
        __qualname__ = "FileIO"

    class StreamFileIO(FileIO):
        """A device at another host: an end of what came may be no end of what there was."""

        __module__ = "_io"
        __qualname__ = "FileIO"

        @seamless
        def readinto(self, buffer: "Any") -> "int | None":
            count = FileIO.readinto(self, buffer)
            if count == 0 and memoryview(buffer).nbytes:
                descriptors.ended(self.fileno())
            return count

        @seamless
        def read(self, size: "int | None" = -1) -> "bytes | None":  # type: ignore[override]
            if size is None or size < 0:
                return self.readall()
            data = FileIO.read(self, size)
            if data == b"" and size:
                descriptors.ended(self.fileno())
            return data

        @seamless
        def readall(self) -> bytes:
            data = FileIO.readall(self)
            descriptors.ended(self.fileno())
            return data

    for kind in (FarFileIO, StreamFileIO):
        kind.__name__ = "FileIO"
    FileIO._oneos_kinds = {FarFileIO: FarFileIO, StreamFileIO: StreamFileIO}  # type: ignore[attr-defined]

    def made_class(cls: type, kind: type) -> type:
        """The class for a file of this kind of `cls`, which may be a program's own subclass.

        It is kept at the class and not in a table of ours, which would keep the program's module
        alive, and its open files unflushed, beyond the end of the program.
        """
        if "_oneos_kinds" not in cls.__dict__:
            cls._oneos_kinds = {}  # type: ignore[attr-defined]
        kinds: dict[type, type] = cls.__dict__["_oneos_kinds"]
        if kind not in kinds:
            kinds[kind] = type(cls)(cls.__name__, (cls, kind), {"__module__": cls.__module__})
        return kinds[kind]

    def refuse_writing(file: "Any", mode: "Any") -> None:
        """The host's files are read only, but for its devices."""
        writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        if writes and not paths.is_host_device(file):
            raise os_error(errno.EROFS, shown(file))

    FileIO.__qualname__ = "FileIO"
    return FileIO
