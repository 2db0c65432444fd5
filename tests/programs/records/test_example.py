"""The example of docs/records.md and examples/README.md does what it says."""

import subprocess
from pathlib import Path

from tests.programs.records.conftest import RUN_TIMEOUT_S, Programs

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_the_example_finds_the_coldest_hour(programs: Programs) -> None:
    with open(EXAMPLES / "seattle-temps.csv", "rb") as readings:
        first = programs.start(
            "python",
            (EXAMPLES / "readings.py").read_text(),
            stdin=readings,
            stdout=subprocess.PIPE,
        )
    second = programs.start(
        "node",
        (EXAMPLES / "coldest.js").read_text(),
        stdin=first.stdout,
        stdout=subprocess.PIPE,
    )
    first.stdout.close()
    out, _ = second.communicate(timeout=RUN_TIMEOUT_S)
    lines = (EXAMPLES / "seattle-temps.csv").read_text().splitlines()[1:]
    date, fahrenheit = min((line.split(",") for line in lines), key=lambda x: float(x[1]))
    assert out.decode() == f"{date} {round((float(fahrenheit) - 32) / 1.8, 2)}\n"
