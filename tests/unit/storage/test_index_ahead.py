"""What is applied ahead of its record is seen at once, and is in the end what the log says."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneos.state import names_commands as c
from oneos.storage.index import SqliteNames
from tests.unit.storage.test_index import expected_dump, log_record

FIRST = 5
"""The records before make directories."""


@settings(max_examples=40, deadline=None, database=None)
@given(
    ahead=st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=12),
    restart=st.booleans(),
)
def test_however_much_is_applied_ahead_the_index_is_the_logs(
    ahead: list[tuple[int, bool]], restart: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of each record some commands go ahead; some leaders lose their place to another's record."""
    path = str(tmp_path_factory.mktemp("index") / "index.db")
    index, plain = SqliteNames.open(path), SqliteNames.open(path + "2")
    seq = 0
    for seq in range(1, FIRST):
        index.apply(seq, log_record(seq))
        plain.apply(seq, log_record(seq))
    for count, lost in ahead:
        seq += 1
        record = log_record(seq)
        early = [index.ahead(command) for command in record[:count]]
        if lost:
            # The same was agreed on as another's record; or the process ended meanwhile.
            if restart:
                index.close()
                index = SqliteNames.open(path)
            record = c.decode_commands(c.encode_commands(record))
        results = index.apply(seq, record)
        assert results == plain.apply(seq, log_record(seq))
        assert results[:count] == early
    assert list(index.dump()) == list(plain.dump()) == expected_dump(seq)
    index.close()
    plain.close()


def test_what_went_ahead_is_seen_and_can_be_undone(tmp_path: Path) -> None:
    index = SqliteNames.open(str(tmp_path / "index.db"))
    index.noting = True
    before = list(index.dump())
    made = c.MkDir(("a", 1), 1, b"/d", 0o755, 0, 0)
    assert index.ahead(made).errno == 0
    assert index.names.lookup(b"/d").is_dir
    assert index.take_touched() == {1, index.names.lookup(b"/d").ino}
    index.forget_ahead()
    assert list(index.dump()) == before and not index.names.list(b"/")
    # Another's record counts, and ours never was.
    index.ahead(made)
    index.apply(1, [c.MkDir(("b", 1), 1, b"/e", 0o755, 0, 0)])
    assert [entry.name for entry in index.names.list(b"/")] == [b"e"]
    index.close()


def test_each_touch_is_told_once(tmp_path: Path) -> None:
    index = SqliteNames.open(str(tmp_path / "index.db"))
    index.noting = True
    index.apply(1, [c.MkDir(("a", 1), 1, b"/d", 0o755, 0, 0)])
    index.take_touched()
    early = c.MkDir(("a", 2), 2, b"/d/e", 0o755, 0, 0)
    index.ahead(early)
    inside = index.take_touched()
    late = c.MkDir(("a", 3), 3, b"/f", 0o755, 0, 0)
    index.apply(2, [early, late])
    assert inside == {index.names.lookup(b"/d").ino, index.names.lookup(b"/d/e").ino}
    assert index.take_touched() == {1, index.names.lookup(b"/f").ino}
    index.close()
