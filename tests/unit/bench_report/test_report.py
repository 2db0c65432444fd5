import json
from functools import partial

import pytest
from bench.case import NATIVE, ONEOS, SSH, Case, Row, Unit
from bench.report import cells, document, quantity, table
from bench.rounds import Outcome, run


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0000123, "s", "12.3 us"),
        (0.00999, "s", "9.99 ms"),
        (0.009999, "s", "10.0 ms"),
        (0.12345, "s", "123 ms"),
        (1.5, "s", "1.50 s"),
        (1.2e9, "B/s", "1.20 GB/s"),
        (950e3, "B/s", "950 kB/s"),
        (58.4e6, "B", "58.4 MB"),
        (12.0, "B", "12.0 B"),
        (0.0034, "core", "0.34 %"),
        (None, "s", "-"),
    ],
)
def test_a_figure_has_three_digits_and_a_unit_that_suits_it(
    value: float | None, unit: Unit, shown: str
) -> None:
    assert quantity(value, unit) == shown


def measured(row: Row, ours: float, native: float) -> Outcome:
    case = Case(
        (row,),
        {ONEOS: lambda: {row.name: [ours]}, NATIVE: lambda: {row.name: [native]}},
        {SSH: "not installed"},
    )
    (outcome,) = run(case, 3, lambda text: None)
    return outcome


def test_table_shows_medians_ratios_what_is_not_installed_and_what_was_durable() -> None:
    line = cells([measured(Row("a.b", "s", "a thing", "all of it"), 0.004, 0.001)])[1]
    assert line[:6] == ["a.b", "4.00 ms", "1.00 ms (x4.00)", "-", "not installed", "-"]
    assert line[6:] == ["-", "-", "all of it"]


def test_a_missed_target_is_called_missed() -> None:
    missed = measured(Row("a", "s", "", target=0.5), 0.6, 0.1)
    met = measured(Row("a", "s", "", target=0.5), 0.5, 0.1)
    rate = measured(Row("a", "B/s", "", target=100e6), 90e6, 1e9)
    assert [cells([x])[1][7] for x in (missed, met, rate)] == [
        "<= 500 ms: MISSED",
        "<= 500 ms: met",
        ">= 100 MB/s: MISSED",
    ]


def test_table_is_markdown_with_columns_in_line() -> None:
    lines = table([["a", "b"], ["long", "x"]]).splitlines()
    assert lines == ["| a    | b |", "|------|---|", "| long | x |"]


def test_json_has_all_rounds_and_the_ratio() -> None:
    made = document([measured(Row("a", "s", "w", target=1.0), 2.0, 0.5)], {"cores": 2}, {})
    (row,) = json.loads(json.dumps(made))["rows"]
    assert row["oneos"]["rounds"] == [2.0, 2.0, 2.0]
    assert row["peers"]["native"]["ratio"] == 4.0
    assert row["met"] is False
    assert row["missing"] == {"ssh": "not installed"}


def test_a_contender_that_fails_is_out_and_the_others_go_on() -> None:
    def fails() -> dict[str, list[float]]:
        raise OSError("no disk")

    row = Row("a", "s", "")
    case = Case((row,), {ONEOS: lambda: {"a": [1.0]}, NATIVE: fails})
    (outcome,) = run(case, 3, lambda text: None)
    assert len(outcome.samples[ONEOS].rounds) == 3
    assert outcome.missing == {NATIVE: "failed: no disk"}
    assert cells([outcome])[1][2] == "failed"


def test_rounds_interleave_and_each_begins_with_another_contender() -> None:
    turns: list[str] = []

    def contender(name: str) -> dict[str, list[float]]:
        turns.append(name)
        return {"a": [1.0]}

    ended: list[bool] = []
    case = Case(
        (Row("a", "s", ""),),
        {name: partial(contender, name) for name in (ONEOS, NATIVE)},
        rounds_max=2,
        finish=lambda: ended.append(True),
    )
    run(case, 9, lambda text: None)
    assert turns == [ONEOS, NATIVE, NATIVE, ONEOS]
    assert ended == [True]
