"""Small packages made on the spot, so that installing them needs no network."""

import io
import json
import tarfile
import zipfile
from pathlib import Path


def wheel(directory: Path, name: str, source: str, *, version: str = "1.0") -> Path:
    """A wheel with the one module `name`; returns its path."""
    path = directory / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": source,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (files | {f"{about}/RECORD": record}).items():
            archive.writestr(file, text)
    return path


def npm_package(
    directory: Path, name: str, files: dict[str, str], *, version: str = "1.0.0", **about: object
) -> Path:
    """A tarball as `npm pack` makes it; `about` goes into its package.json."""
    path = directory / f"{name}-{version}.tgz"
    whole = files | {"package.json": json.dumps({"name": name, "version": version} | about)}
    with tarfile.open(path, "w:gz") as archive:
        for file, text in whole.items():
            entry = tarfile.TarInfo(f"package/{file}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path
