import pytest
from bench.statistics import Samples, ratio, summary


def samples(*rounds: list[float]) -> Samples:
    made = Samples()
    for number, values in enumerate(rounds):
        made.add(number, values)
    return made


def test_median_is_that_of_the_rounds_so_a_long_round_counts_no_more_than_a_short_one() -> None:
    assert samples([1.0], [2.0], [9.0, 9.0, 9.0, 9.0, 9.0]).median() == 2.0


def test_nothing_measured_has_no_median_no_spread_and_no_percentile() -> None:
    empty = samples([], [])
    assert (empty.median(), empty.spread(), empty.percentile(0.5)) == (None, None, None)


def test_ratio_is_within_rounds_so_a_slow_round_does_not_change_it() -> None:
    ours = samples([2.0], [200.0], [2.0])
    peer = samples([1.0], [100.0], [1.0])
    assert ratio(ours, peer) == 2.0


def test_ratio_counts_only_rounds_that_both_took_part_in() -> None:
    peer = Samples()
    peer.add(1, [1.0])
    assert ratio(samples([50.0], [3.0]), peer) == 3.0
    assert ratio(samples([50.0]), peer) is None


def test_ratio_of_rates_is_above_one_when_ours_brings_less() -> None:
    assert ratio(samples([50.0]), samples([100.0]), more_is_better=True) == 2.0


def test_ratio_to_a_peer_that_took_no_time_is_left_out() -> None:
    assert ratio(samples([1.0]), samples([0.0])) is None


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 6.0), (0.95, 10.0), (1.0, 10.0)])
def test_percentile_is_the_nearest_rank_over_all_samples(share: float, expected: float) -> None:
    values = [float(value) for value in range(10, 0, -1)]
    assert samples(values[:3], values[3:]).percentile(share) == expected


def test_summary_says_how_much_was_measured() -> None:
    figures = summary(samples([1.0, 3.0], [5.0]))
    assert figures["rounds"] == [2.0, 5.0]
    assert figures["spread"] == [2.0, 5.0]
    assert figures["samples"] == 3
