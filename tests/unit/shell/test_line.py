"""What a person sees of a terminal elsewhere: all that was written, and nothing that is ours."""

from oneos.local.line import Line


def shown(line: Line, pieces: list[bytes]) -> bytes:
    return b"".join(line.strip(piece) for piece in pieces)


def test_a_marker_is_taken_out_wherever_it_is_cut() -> None:
    for cut in range(80):
        line = Line(1, "pi", -1, -1)
        data = b"before\x1b[0m" + line.marker() + b"between" + line.marker() + b"\x1b]7770;behind"
        assert shown(line, [data[:cut], data[cut:]]) == b"before\x1b[0mbetween\x1b]7770;behind"
        assert line.seen == line.asked == 2


def test_a_marker_is_looked_for_byte_by_byte() -> None:
    line = Line(1, "pi", -1, -1)
    data = b"\x1b\x1b]" + line.marker() + b"\x1b]"
    assert shown(line, [data[at : at + 1] for at in range(len(data))]) == b"\x1b\x1b]\x1b]"


def test_nothing_is_held_back_while_no_marker_is_to_come() -> None:
    line = Line(1, "pi", -1, -1)
    assert line.strip(b"\x1b]7770;") == b"\x1b]7770;"


def test_a_program_cannot_make_another_terminals_marker() -> None:
    one, other = Line(1, "pi", -1, -1), Line(2, "pi", -1, -1)
    foreign = other.marker()
    own = one.marker()
    assert one.strip(foreign + own) == foreign
    assert one.seen == 1
