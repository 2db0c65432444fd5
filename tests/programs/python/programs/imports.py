# ruff: noqa: E402, F401
"""Modules and packages of the tree; prints what happened."""

import importlib
import importlib.resources
import importlib.util
import os
import pkgutil
import runpy
import sys
import zipfile

print(sys.argv, sys.path[0], __name__, __file__, __doc__, sorted(globals()))
os.makedirs("pkg/sub")
for name, text in {
    "pkg/__init__.py": "value = 1\nfrom . import inner\n",
    "pkg/inner.py": "from .sub import deep\nname = __name__\n",
    "pkg/sub/__init__.py": "",
    "pkg/sub/deep.py": "where = __file__\n",
    "pkg/__main__.py": "import sys\nprint('main of', __package__, sys.argv[1:], __file__)\n",
    "pkg/data.txt": "some data",
    "script.py": "print('script', __name__, __file__)\nresult = 5\n",
    "broken.py": "x = = 1\n",
    "raises.py": "def f():\n    raise KeyError('deep')\nf()\n",
    "reloaded.py": "value = 1\n",
}.items():
    with open(name, "w") as f:
        f.write(text)
importlib.invalidate_caches()
import pkg

print(pkg.value, pkg.inner.name, pkg.inner.deep.where, pkg.__path__, pkg.__spec__.origin)
print(
    sorted(os.listdir("pkg/__pycache__"))
    == [f"{n}.{sys.implementation.cache_tag}.pyc" for n in ("__init__", "inner")]
)
print(os.path.exists(importlib.util.cache_from_source("pkg/inner.py")))
print([m.name for m in pkgutil.walk_packages(pkg.__path__, "pkg.")])
print(
    importlib.resources.files("pkg").joinpath("data.txt").read_text(),
    pkgutil.get_data("pkg", "data.txt"),
)
print(runpy.run_path("script.py")["result"], runpy.run_module("script")["result"])
runpy.run_module("pkg", run_name="__main__", alter_sys=True)
for name in ("broken", "raises", "nothing"):
    try:
        importlib.import_module(name)
    except Exception as error:
        print(type(error).__name__, error)
import reloaded

with open("reloaded.py", "w") as f:
    f.write("value = 'two'\n")
print(reloaded.value, importlib.reload(reloaded).value)
with zipfile.ZipFile("packed.zip", "w") as z:
    z.writestr("packed.py", "value = 'from a zip'\n")
    z.writestr("__main__.py", "import packed\nprint('zip main', packed.value)\n")
sys.path.insert(0, "packed.zip")
import packed

print(packed.value, packed.__file__, type(packed.__loader__).__name__)
runpy.run_path("packed.zip")
os.makedirs("namespace/part")
with open("namespace/part/m.py", "w") as f:
    f.write("here = True\n")
importlib.invalidate_caches()
import namespace.part.m

print(namespace.part.m.here, namespace.__file__ if hasattr(namespace, "__file__") else None)
try:
    import raises
except KeyError:
    import traceback

    traceback.print_exc()
import broken
