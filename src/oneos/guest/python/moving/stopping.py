"""Bringing all of a program's threads to a stand: between two instructions, or in a known wait."""

import _thread
import sys
import time

import oneos_moving as native

from .frames import roots
from .reasons import NotSafe
from .sleeping import must_sleep
from .waits import Wait, look_at_wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

FIRST_LOOK_S = 0.0003
LOOK_S = 0.002
"""Between two looks at threads that have not stopped: the interpreter's lock is free meanwhile."""


class Stopped:
    """A thread that stands."""

    __slots__ = ("frame", "ident", "wait")

    def __init__(self, ident: int, frame: "FrameType", wait: Wait | None) -> None:
        self.ident, self.frame, self.wait = ident, frame, wait


def others(ignored: "frozenset[int]") -> "dict[int, FrameType]":
    """The innermost frames of all threads but this one."""
    mine = _thread.get_ident()
    current = sys._current_frames()
    return {one: f for one, f in current.items() if one != mine and one not in ignored}


def stop(
    ends: float, ignored: "frozenset[int]", steps: int = -1, is_armed: bool = False
) -> list[Stopped]:
    """Have every thread of the program stand.

    Args:
        ends: how long to wait for that, by `time.monotonic`.
        ignored: threads that are not the program's.
        steps: tests have the threads do so many instructions first.
        is_armed: the threads that there are have been told already.

    Returns:
        The threads; they stand until `native.disarm`, which the caller calls in any case.

    Raises:
        NotSafe: one did not come to a stand; the reason names the C function that it is in.
    """
    if native.traced():
        raise NotSafe("a debugger or profiler traces the program")
    armed: set[int] = set(others(ignored)) if is_armed else set()
    # The others go on until the one that counts has done its steps.
    counting = is_armed
    begun = seen_before = False
    seen: dict[int, tuple[int, int]] = {}
    pause = FIRST_LOOK_S
    while True:
        new = set(others(ignored)) - armed
        if new and not (counting and not native.parked()):
            native.arm(tuple(new), 0 if counting else steps)
            armed |= new
        # No frame is in our hands meanwhile: what is in it would live longer than it does.
        time.sleep(pause)
        pause = LOOK_S
        found: list[Stopped] | str = "it has instructions to do"
        if steps < 0 or native.parked():
            found = look(ignored, seen)
        if not isinstance(found, str):
            return found
        # At the first look nobody is seen to stand: it says nothing.
        if time.monotonic() >= ends and seen_before and (steps < 0 or native.parked()):
            raise NotSafe(found)
        seen_before = bool(seen) or bool(native.parked())
        if steps >= 0:
            # A test's that is being restored has not begun yet.
            runs = any(map(is_program, others(ignored).values()))
            if begun and not runs:
                raise NotSafe("the program has ended", later=False)
            begun = begun or runs


def look(ignored: "frozenset[int]", seen: "dict[int, tuple[int, int]]") -> "list[Stopped] | str":
    """The threads, if all stand; else why not.

    Args:
        seen: where each was at the last look.
    """
    parked: dict[int, Any] = native.parked()
    frames = others(ignored)
    reason = "" if frames else "it has no threads"
    for ident, frame in frames.items():
        if ident not in parked:
            # Twice at the same place: it is not on its way to somewhere else.
            place = (id(frame), frame.f_lasti)
            before, seen[ident] = seen.get(ident), place
            if before != place:
                reason = f"{frame.f_code.co_qualname} is running"
    if not reason and native.thread_count() != len(sys._current_frames()):
        reason = "a thread is starting or ending"
    if reason:
        return reason
    # From here on others may run meanwhile, since the kernel is asked.
    try:
        return [
            Stopped(ident, parked[ident], None)
            if ident in parked
            else Stopped(ident, frame, look_at_wait(frame, ident))
            for ident, frame in frames.items()
        ]
    except NotSafe as error:
        return error.reason


def is_program(frame: "FrameType | None") -> bool:
    while frame is not None:
        if frame.f_code in roots:
            return True
        frame = frame.f_back
    return False


def still_stand(stopped: list[Stopped], ignored: "frozenset[int]") -> bool:
    """Whether no thread has moved since: those in a wait are not held there."""
    parked = native.parked()
    frames = others(ignored)
    if len(frames) != len(stopped) or native.thread_count() != len(sys._current_frames()):
        return False
    for one in stopped:
        if one.wait is None:
            continue
        if one.ident in parked or frames.get(one.ident) is not one.frame:
            return False
        try:
            must_sleep(one.ident, "")
        except NotSafe:
            return False
    return True
