"""From the interpreter's start to the program's first line, and what kind of program it is.

Does what the interpreter itself does for `script`, a directory or zip file, `-c`, `-m` and standard
input: `sys.argv`, `sys.path[0]`, the names in `__main__`, the text of its errors. It cannot leave
that to the interpreter, whose C code would open the script on the host. Options that change the
interpreter are given to the real one by `launch_python`; the FLAGS word holds the two that cannot
be: `S` and `x`.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Put the context in place, then run the program in `__main__`."""
    from . import standard
    from .failure import strip

    if not sys.flags.safe_path:
        del sys.path[0]  # Our own directory; the program's own comes below.
    if sys.argv[1] == "Z":
        from .zygote import serve

        sys.orig_argv, packages = serve(*map(int, sys.argv[2:]))  # Returns in each child.
        sys.argv = sys.orig_argv[2:]
    else:
        from .context import Context

        context = Context()
        packages = context.assume()
    flags, arguments = sys.argv[1], sys.argv[2:]
    sys.orig_argv = original_arguments(flags, len(arguments))
    sys.argv = arguments or [""]
    if "S" not in flags:
        # While it still finds `-S`: else it would do its work here, and once more below.
        import site  # noqa: F401

        sys.flags = flags_with_site()
    standard.install()
    module = sys.modules["__main__"]
    space = module.__dict__
    for name in list(space):
        if name not in ("__name__", "__builtins__"):
            del space[name]
    space.update(__doc__=None, __package__=None, __loader__=None, __spec__=None)
    space["__annotations__"] = {}
    try:
        if "S" not in flags:
            add_packages(packages)
        run(arguments, space, "x" in flags)
    except BaseException:
        strip()
        raise


def add_packages(packages: str | None) -> None:
    """Complete `sys.path` as at any start; with packages of its own, as in a virtual environment.

    Args:
        packages: their directory, which then stands in place of those that this host happens to
            have: what a program finds is the same on every host.
    """
    before = list(sys.path)
    import site

    site.main()
    if packages:
        sys.path[:] = before
        site.addsitedir(packages)


def original_arguments(flags: str, count: int) -> list[str]:
    """`sys.orig_argv` as if the program had been started plainly."""
    whole = sys.orig_argv
    end = len(whole) - count
    options = whole[2 : end - 2]  # Between `-S` and `boot.py FLAGS`.
    hidden = [f"-{flag}" for flag in flags]
    return [whole[0], *hidden, *options, *whole[end:]]


def flags_with_site() -> "Any":
    """`sys.flags` as if the interpreter had not been given `-S`, which is ours.

    `subprocess` and `multiprocessing` give the options they find there to the interpreters that
    they start. The real type makes no instances, so another stands for it.
    """
    real = sys.flags
    names = real.__match_args__

    class flags(tuple):  # type: ignore[type-arg]
        __slots__ = ()
        __module__ = "sys"
        __match_args__ = names
        n_fields, n_sequence_fields = real.n_fields, real.n_sequence_fields
        n_unnamed_fields = real.n_unnamed_fields

        def __getattr__(self, name: str) -> "Any":
            if name in names:
                return self[names.index(name)]
            if name.startswith("__"):
                raise AttributeError(name)
            return getattr(real, name)

        def __repr__(self) -> str:
            return (
                f"sys.flags({', '.join(f'{n}={v!r}' for n, v in zip(names, self, strict=False))})"
            )

    at = names.index("no_site")
    return flags((*real[:at], 0, *real[at + 1 :]))


def run(arguments: list[str], space: "dict[str, Any]", skip_first_line: bool) -> None:
    """Run what the arguments name."""
    first = arguments[0] if arguments else ""
    if first == "-c":
        run_command(arguments, space)
    elif first == "-m":
        run_module(arguments)
    elif first in ("", "-"):
        run_stdin(space)
    else:
        run_script(first, space, skip_first_line)


def add_path(directory: str) -> None:
    if not sys.flags.safe_path:
        sys.path.insert(0, directory)


def run_command(arguments: list[str], space: "dict[str, Any]") -> None:
    source = arguments[1]
    sys.argv = ["-c", *arguments[2:]]
    add_path("")
    space["__loader__"] = builtin_importer()
    sys.audit("cpython.run_command", source)
    source += "\n"
    code = compile(source, "<string>", "exec", dont_inherit=True)
    if sys.version_info >= (3, 13):
        import linecache

        # Later releases of 3.13 keep the text by the code object, the first ones by the name.
        key = code if hasattr(linecache, "_interactive_cache") else "<string>"
        linecache._register_code(key, source, "<string>")  # type: ignore[attr-defined]
    exec(code, space)


def run_module(arguments: list[str]) -> None:
    import os
    import runpy

    sys.argv = ["-m", *arguments[2:]]
    add_path(os.getcwd())
    runpy._run_module_as_main(arguments[1])  # type: ignore[attr-defined]


def run_stdin(space: "dict[str, Any]") -> None:
    import os

    add_path("")
    space["__loader__"] = builtin_importer()
    if os.isatty(0):
        # The interpreter's own prompt follows when we return, with `__main__` as we leave it.
        if not sys.flags.quiet:
            about = 'Type "help", "copyright", "credits" or "license" for more information.'
            print(f"Python {sys.version} on {sys.platform}\n{about}", file=sys.stderr)
        os.putenv("PYTHONINSPECT", "1")
        return
    space.update(__file__="<stdin>", __cached__=None)
    sys.audit("cpython.run_stdin")
    code = compile(sys.stdin.buffer.read(), "<stdin>", "exec", dont_inherit=True)
    run_file_code(code, space)


def run_script(name: str, space: "dict[str, Any]", skip_first_line: bool) -> None:
    import io
    import os

    path = name if name.startswith("/") else os.path.join(os.getcwd(), name)
    failed = None
    source = b""
    try:
        with io.open_code(path) as file:
            source = file.read()
    except IsADirectoryError:
        run_container(os.getcwd() if name == "." else path)
        return
    except OSError as error:
        failed = error
    if failed is not None:
        text = f"{sys.orig_argv[0]}: can't open file {path!r}: [Errno {failed.errno}] "
        print(text + str(failed.strerror), file=sys.stderr)
        sys.exit(2)
    if source.rfind(b"PK\5\6", -65_557) >= 0 and importer(path) is not None:
        run_container(path)
        return
    add_path(os.path.dirname(os.path.normpath(path)))
    # Not from `importlib.machinery`, which would cost a millisecond to import.
    loaders = sys.modules["_frozen_importlib_external"]
    space.update(__file__=path, __cached__=None)
    sys.audit("cpython.run_file", path)
    if name.endswith(".pyc"):
        loader = loaders.SourcelessFileLoader("__main__", path)
        space["__loader__"] = loader
        code = loader.get_code("__main__")
    else:
        space["__loader__"] = loaders.SourceFileLoader("__main__", path)
        if skip_first_line:
            source = b"\n" + source.partition(b"\n")[2]
        check_encoding(source, path)
        code = compile(source, path, "exec", dont_inherit=True)
    run_file_code(code, space)


def check_encoding(source: bytes, path: str) -> None:
    """Refuse what is no text as the interpreter words it for a file, unlike for a string."""
    if b"\0" in source:
        line = source.partition(b"\0")[0].count(b"\n") + 1
        raise SyntaxError("source code cannot contain null bytes", (path, line, None, "\n"))
    if source.isascii():
        return
    try:
        source.decode()
        return
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        byte = f"\\x{source[error.start]:02x}"
    if any(b"coding" in head for head in source.split(b"\n", 2)[:2]):
        return  # It may say which encoding it has: the compiler finds out.
    raise SyntaxError(
        f"Non-UTF-8 code starting with '{byte}' in file {path} on line {line}, but no encoding "
        "declared; see https://peps.python.org/pep-0263/ for details"
    )


def run_file_code(code: "Any", space: "dict[str, Any]") -> None:
    try:
        exec(code, space)
    finally:
        # The interpreter takes them away too, before what the program registered for its exit.
        space.pop("__file__", None)
        space.pop("__cached__", None)


def run_container(path: str) -> None:
    """A directory or a zip file with a `__main__` in it."""
    import runpy

    sys.path.insert(0, path)
    runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]


def importer(path: str) -> "Any":
    for hook in sys.path_hooks:
        try:
            return hook(path)
        except ImportError:
            continue
    return None


def builtin_importer() -> "Any":
    return sys.modules["_frozen_importlib"].BuiltinImporter
