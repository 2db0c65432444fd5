"""Small files cut together have the chunks that each would have by itself."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneos.errors import FileError
from oneos.limits import SMALL_FILE_BYTES_MAX
from oneos.storage.chunks import ChunkStore
from oneos.storage.cut import cut_file
from oneos.storage.cut_small import cut_small_files

CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\0" * 5000, b"same" * 100, b"x" * SMALL_FILE_BYTES_MAX]),
)


@settings(max_examples=25, deadline=None, database=None)
@given(contents=st.lists(CONTENTS, max_size=6))
def test_they_are_cut_as_one_is(
    contents: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    chunks, other = ChunkStore(str(folder / "chunks")), ChunkStore(str(folder / "other"))
    paths = [str(folder / str(number)) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        Path(path).write_bytes(content)
    offered: dict[bytes, bytes] = {}
    for path, content, taken in zip(
        paths, contents, cut_small_files(paths, chunks, offered.update), strict=True
    ):
        if content and not any(content):
            assert taken is None
            continue
        assert taken is not None
        alone, seen = cut_file(path, other, None)
        assert taken[0][:3] == alone[:3] and taken[1][:3] == seen[:3]
        assert b"".join(chunks.get(digest) for digest in taken[0].digests) == content
    kept = {content for content in contents if any(content)}
    assert set(offered.values()) == kept == {chunks.get(digest) for digest in chunks.digests()}


def test_what_is_long_or_gone_is_left_out(tmp_path: Path) -> None:
    chunks = ChunkStore(str(tmp_path / "chunks"))
    paths = [str(tmp_path / name) for name in ("long", "gone", "short")]
    Path(paths[0]).write_bytes(b"x" * (SMALL_FILE_BYTES_MAX + 1))
    Path(paths[2]).write_bytes(b"x")
    taken = cut_small_files(paths, chunks, lambda pieces: None)
    assert [one is None for one in taken] == [True, True, False]


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    chunks = ChunkStore(str(tmp_path / "chunks"))
    path = tmp_path / "loop"
    os.symlink("loop", path)
    with pytest.raises(FileError):
        cut_small_files([str(path)], chunks, lambda pieces: None)
