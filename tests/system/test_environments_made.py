"""Environments on disk: made once and whole, kept within bounds, never taken from a program."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from oneos.errors import UserError
from oneos.runtime import environments as module
from oneos.runtime.environments import Environments
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.requirements import Requirements
from tests.support.packages import wheel


def wanted(path: Path) -> Requirements:
    line = f"{path.name.split('-')[0]} @ file://{path}\n".encode()
    return Requirements("python", "/p.py", "/r.txt", (path.name,), {"requirements.txt": line})


@pytest.fixture
async def here(tmp_path: Path) -> Environments:
    """Environments of this machine's Python; no program is looked for, so there is no tree."""
    interpreters = Interpreters(["/bin/sh"], "", "auto")
    await interpreters.find(sys.executable, None)
    return Environments("hub", str(tmp_path / "envs"), cast(Any, None), interpreters)


async def test_who_asks_at_once_gets_the_same_made_once(here: Environments, tmp_path: Path) -> None:
    said: list[str] = []
    asked = wanted(wheel(tmp_path, "greet", "x = 1\n"))
    made = await asyncio.gather(*(here.make(asked, said.append) for _ in range(3)))
    assert len(set(made)) == 1
    assert os.listdir(made[0].path).count("greet.py") == 1
    assert len(said) == 3
    again = here.ready(asked)
    assert again == made[0]
    assert [about["in_use"] for about in here.list()] == [True]
    for _ in range(4):
        here.release(made[0])
    assert [about["in_use"] for about in here.list()] == [False]


async def test_what_fails_or_is_given_up_leaves_nothing(here: Environments, tmp_path: Path) -> None:
    asked = wanted(tmp_path / "gone-1.0-py3-none-any.whl")
    with pytest.raises(UserError, match="cannot install what"):
        await here.make(asked, lambda line: None)
    assert os.listdir(tmp_path / "envs") == []
    fifo = tmp_path / "links.html"
    os.mkfifo(fifo)
    slow = Requirements(
        "python", "/p.py", "/r.txt", ("x",),
        {"requirements.txt": f"--no-index\n--find-links {fifo}\nx\n".encode()},
    )  # fmt: skip
    begun = asyncio.Event()
    making = asyncio.create_task(here.make(slow, lambda line: begun.set()))
    await begun.wait()
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    while here._making:
        await asyncio.wait([one.task for one in here._making.values()])
    assert os.listdir(tmp_path / "envs") == []


async def test_a_half_made_one_is_never_used(here: Environments, tmp_path: Path) -> None:
    asked = wanted(wheel(tmp_path, "greet", "x = 1\n"))
    aside = tmp_path / "envs" / (".making-" + here._key(asked))
    aside.mkdir(parents=True)
    (aside / "site").mkdir()
    assert here.ready(asked) is None
    here.clear()
    assert os.listdir(tmp_path / "envs") == []


async def test_beyond_the_bounds_the_longest_unused_goes_first(
    here: Environments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENVIRONMENTS_MAX", 2)
    asked = [wanted(wheel(tmp_path, name, "x = 1\n")) for name in ("one", "two", "three", "four")]
    made = []
    for number, requirements in enumerate(asked[:3]):
        made.append(await here.make(requirements, lambda line: None))
        about = tmp_path / "envs" / made[-1].key / "environment.json"
        os.utime(about, (number, number))
        if number:
            here.release(made[-1])
    # The first is in use, so the second has gone, although it was used later.
    left = {about["key"] for about in here.list()}
    assert left == {made[0].key, made[2].key}
    with pytest.raises(UserError, match="uses environment"):
        await here.remove(made[0].key)
    here.release(made[0])
    here.release(await here.make(asked[3], lambda line: None))
    assert made[0].key not in {about["key"] for about in here.list()}
    with pytest.raises(UserError, match="no environment"):
        await here.remove("x")
