"""A spawn request that makes no sense is refused before anything is opened or placed."""

from typing import Any

import pytest

from oneos.errors import UserError
from oneos.limits import STAGES_MAX
from oneos.runtime.pipeline_spec import SpawnSpec, StageSpec, check


def stage(io: dict[int, list[Any]] | None = None, argv: list[bytes] | None = None) -> StageSpec:
    return StageSpec(argv if argv is not None else [b"cat"], b"/", io or {})


def test_every_kind_of_end_is_taken_as_it_is_written_down() -> None:
    ends: list[dict[int, list[Any]]] = [
        {0: ["fd", 0], 1: ["pipe", 0], 2: ["fd", 1]},
        {0: ["pipe", 0], 1: ["file", b"/tmp/x", 1, 0o644], 2: ["dup", 1]},
        {0: ["null"]},
    ]
    check(SpawnSpec(1, [stage(io) for io in ends]), 2)


@pytest.mark.parametrize(
    "io",
    [
        {0: ["fd", 2]},
        {0: ["fd", -1]},
        {0: ["fd"]},
        {0: ["fd", "1"]},
        {1: ["pipe", [1]]},
        {1: ["file", b"/tmp/x"]},
        {1: ["file", "/tmp/x", 1, 0]},
        {1: ["file", b"/tmp/x", 1, None]},
        {2: ["dup"]},
        {0: ["null", 1]},
        {0: ["closed"]},
        {0: []},
        {0: [7]},
        {3: ["null"]},
    ],
)
def test_end_that_is_written_otherwise_is_refused(io: dict[int, list[Any]]) -> None:
    with pytest.raises(UserError):
        check(SpawnSpec(1, [stage(io)]), 2)


def test_pipeline_has_a_program_and_not_too_many() -> None:
    for stages in ([], [stage()] * (STAGES_MAX + 1), [stage(argv=[])]):
        with pytest.raises(UserError):
            check(SpawnSpec(1, stages), 0)
