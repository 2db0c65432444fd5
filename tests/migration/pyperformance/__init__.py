"""Programs that nobody here wrote: those of pyperformance, from the package index."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "1.11.0"
SHA256 = "4558f6d1fa218279d679e2bef49eb9c8dfb284c58f29ec11828654be9ddc571a"
CACHE = Path(__file__).parents[3] / ".venv" / "cache"
BENCHMARKS = "pyperformance/data-files/benchmarks"
STAND_IN = Path(__file__).with_name("pyperf.py")
DOWNLOAD_S = 300
RUN_S = 300


@dataclass(frozen=True)
class Benchmark:
    """A program, how many times its work is done, and whose results are noted besides."""

    name: str
    loops: int
    noted: str = ""

    @property
    def settings(self) -> dict[str, str]:
        """Of its environment."""
        return {"REPEATED": str(self.loops), "NOTED": self.noted}


PROGRAMS = (
    Benchmark("async_generators", 1),
    Benchmark("chaos", 2, "Chaosgame.transform_point"),
    Benchmark("comprehensions", 1000, "WidgetTray._is_big_spinny"),
    Benchmark("coroutines", 1, "fibonacci"),
    Benchmark("deltablue", 60, "Plan.execute"),
    Benchmark("fannkuch", 1),
    Benchmark("float", 3),
    Benchmark("generators", 2, "tree"),
    Benchmark("go", 2),
    Benchmark("hexiom", 30, "solve"),
    Benchmark("json_dumps", 20),
    Benchmark("json_loads", 600),
    Benchmark("mdp", 1, "Battle.evaluate"),
    Benchmark("meteor_contest", 3, "solve"),
    Benchmark("nbody", 6, "report_energy advance"),
    Benchmark("nqueens", 4),
    Benchmark("pidigits", 1),
    Benchmark("pprint", 1),
    Benchmark("pyflate", 1, "gzip_main bzip2_main"),
    Benchmark("raytrace", 2, "Scene.rayColour"),
    Benchmark("regex_dna", 2, "run_benchmarks"),
    Benchmark("regex_effbot", 4, "gen_string_table"),
    Benchmark("richards", 10),
    Benchmark("richards_super", 8),
    Benchmark("scimark", 1, "MonteCarlo Random.nextDouble int_log2"),
    Benchmark("spectral_norm", 6, "eval_AtA_times_u"),
    Benchmark("xml_etree", 2, "build_xml_tree process"),
)


class NotHere(Exception):
    """The programs cannot be had; the text says why."""


def fetch() -> Path:
    """The directory of the benchmarks; they are downloaded once.

    Raises:
        NotHere: see its text.
    """
    place = CACHE / f"pyperformance-{VERSION}"
    if place.exists():
        return place / BENCHMARKS
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--quiet",
        "--dest",
        str(CACHE),
    ]
    try:
        subprocess.run(
            [*command, f"pyperformance=={VERSION}"],
            capture_output=True,
            timeout=DOWNLOAD_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NotHere(f"pyperformance cannot be downloaded: {error}") from error
    wheel = next(CACHE.glob(f"pyperformance-{VERSION}-*.whl"))
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise NotHere(f"{wheel.name} is not the file that is known")
    partial = CACHE / f"pyperformance-{os.getpid()}"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(partial)
    try:
        partial.rename(place)
    except OSError:
        # Another test has done the same meanwhile.
        shutil.rmtree(partial)
    return place / BENCHMARKS


def files(benchmark: Benchmark) -> dict[str, bytes]:
    """What a program needs, by path within its directory."""
    place = fetch() / f"bm_{benchmark.name}"
    found = {"pyperf.py": STAND_IN.read_bytes()}
    for path in [place / "run_benchmark.py", *place.glob("data/*")]:
        found[str(path.relative_to(place))] = path.read_bytes()
    return found


def undisturbed(benchmark: Benchmark, python: str) -> str:
    """What it prints by itself."""
    place = fetch() / f"bm_{benchmark.name}"
    done = subprocess.run(
        [python, "run_benchmark.py"],
        cwd=place,
        env={**os.environ, **benchmark.settings, "PYTHONPATH": str(STAND_IN.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=RUN_S,
        check=True,
        text=True,
    )
    return done.stdout
