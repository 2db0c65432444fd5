"""How another process's child ended is known, before and after its parent has waited for it."""

import subprocess

import pytest

from oneos.runtime.watched import Watched, shell_status


@pytest.mark.parametrize(("end", "status"), [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137)])
async def test_status_is_read_from_the_kernel(end: str, status: int) -> None:
    process = subprocess.Popen(  # noqa: ASYNC220  Not the event loop but this must wait for it.
        ["/bin/sh", "-c", f"read go; {end}"], stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    watched = Watched(process.pid)
    assert watched.status() is None
    process.stdin.close()
    await watched.ended()
    assert watched.status() == status  # A zombie.
    process.wait()
    # Only newer kernels tell it of one that was waited for; its parent does in any case.
    assert watched.status() in (status, None)
    watched.close()
    with pytest.raises(ProcessLookupError):
        Watched(process.pid)


def test_statuses_are_those_of_sh() -> None:
    assert [shell_status(raw) for raw in (0, 7 << 8, 9, 128 + 11)] == [0, 7, 137, 139]
