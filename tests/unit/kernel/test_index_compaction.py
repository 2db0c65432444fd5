"""A host that was away for longer than the files log reaches back still gets the whole index."""

import shutil
from pathlib import Path

import pytest

from oneos.engine.log import Log
from oneos.ids import HostName
from oneos.kernel import index as index_module
from oneos.kernel.index import Index
from oneos.state import names_commands as n
from tests.support.waiting import eventually
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.engine.servers import Bench

COUNT = 40


def mkdir(number: int) -> n.MkDir:
    return n.MkDir(("test", number), number, b"/d%d" % number, 0o755, 0, 0)


async def test_standby_behind_a_compacted_log_takes_over_a_snapshot(
    bench: Bench,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "INDEX_TAIL_RECORDS", 5)
    files = Log(await bench.connect(await bench.start()), "files", "hub")
    await files.ensure(1)
    leader = Index(str(tmp_path / "leader.sqlite"), HostName("hub"))
    standby = Index(str(tmp_path / "standby.sqlite"), HostName("lab"))

    async def fetch() -> str:
        made, received = tmp_path / "made", tmp_path / "received"
        leader.names.snapshot(str(made))
        shutil.copyfile(made, received)
        return str(received)

    standby.fetch_snapshot = fetch
    try:
        await leader.start(files)
        await leader.lead()
        for number in range(COUNT):
            (result,) = await leader.append([mkdir(number)])
            assert result.errno == 0
        await leader.compact()
        assert await files.first_seq() > 1
        await standby.start(files)
        await eventually(lambda: standby.names.applied_seq >= leader.names.applied_seq)
        assert list(standby.names.dump()) == list(leader.names.dump())
        # And it follows from there.
        await leader.append([mkdir(COUNT)])
        await eventually(lambda: len(standby.names.names.list(b"/")) == COUNT + 1)
    finally:
        await standby.close()
        await leader.close()
