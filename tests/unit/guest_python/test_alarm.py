"""`ONEOS_ALARM` tells of what C code opens on the host in place of the tree."""

from tests.unit.guest_python.conftest import World

OPENS = """
import ctypes, os, pathlib
os.listdir("."); pathlib.Path("made").write_text("x"); open("/dev/null").close()
by_c = ctypes.pythonapi._Py_fopen_obj
by_c.restype = ctypes.c_void_p
for path in ("past", os.__file__):
    try:
        by_c(ctypes.py_object(path), b"r")
    except OSError as error:
        print(error.errno)
"""


def test_alarm_names_what_went_past_the_context_and_nothing_else(world: World) -> None:
    world.variables["ONEOS_ALARM"] = "1"
    (world.inside / "past").write_text("in the tree")
    outcome = world.context(["-c", OPENS])
    assert outcome.err == b"oneos: alarm: open of 'past' went to the host, from <string>:8\n"
    assert outcome.out == b"2\n"


def test_there_is_no_alarm_unless_asked_for(world: World) -> None:
    (world.inside / "past").write_text("in the tree")
    assert world.context(["-c", OPENS]).err == b""
