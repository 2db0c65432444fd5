"""A Runtime's configuration: what a file may say, and which words a wrong one gets."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneos.config import RuntimeConfig, default_name, load_config, parse_config
from oneos.errors import ConfigError
from oneos.ids import HostName
from oneos.local.address import default_socket
from oneos.net.identity import valid_host_name

BASE = Path("/etc/oneos")


def parse(text: str) -> RuntimeConfig:
    return parse_config(text, "oneos.toml", BASE)


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_an_empty_file_is_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEOS_DIR", raising=False)
    monkeypatch.setenv("HOME", "/home/alice")
    config = parse("")
    assert (config.name, config.directory) == (default_name(), Path("/home/alice/.oneos"))
    assert (config.listen, config.port, config.engine_port, config.cluster_port) == (
        "0.0.0.0",
        4100,
        4101,
        4102,
    )
    assert (config.advertise, config.core, config.copies, config.tags, config.devices) == (
        None,
        True,
        2,
        [],
        [],
    )


def test_every_key_is_read() -> None:
    config = parse(
        """
        name = "pi1"
        directory = "data"
        listen = "127.0.0.1"
        port = 5000
        advertise = "pi1.lan"
        engine_port = 6000
        cluster_port = 7000
        tags = ["camera", "garden"]
        core = false
        python = "/bin/sh"
        node = "node20"
        copies = 3
        scrub_days = 0.5

        [[device]]
        name = "sensor/1"
        kind = "file"
        path = "readings.csv"
        rate_hz = 1
        """
    )
    assert config == RuntimeConfig(
        name=HostName("pi1"),
        directory=BASE / "data",
        listen="127.0.0.1",
        port=5000,
        advertise="pi1.lan",
        engine_port=6000,
        cluster_port=7000,
        tags=["camera", "garden"],
        core=False,
        python="/bin/sh",
        node="node20",
        copies=3,
        scrub_days=0.5,
        devices=config.devices,
    )
    assert [(d.name, d.path, d.rate_hz) for d in config.devices] == [
        ("sensor/1", "readings.csv", 1.0)
    ]


def test_a_configuration_made_in_a_program_has_the_same_ports_as_one_read() -> None:
    config = RuntimeConfig(name=HostName("a"), directory=Path("/d"), port=5000)
    assert (config.engine_port, config.cluster_port) == (5001, 5002)


def test_the_data_lies_where_the_socket_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ONEOS_SOCKET", raising=False)
    monkeypatch.setenv("ONEOS_DIR", str(tmp_path))
    assert default_socket() == str(parse("").directory / "run" / "local.sock")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = ", "oneos.toml: line 1: invalid value"),
        ('name = "a"\nport 4100\n', "oneos.toml: line 2: expected '=' after a key"),
        ('name = "a"\n\n[', "oneos.toml: line 3: invalid initial character for a key"),
        ("prot = 1", "oneos.toml: prot: unknown key, did you mean port?"),
        ("zzz = 1", "oneos.toml: zzz: unknown key"),
        ('name = "-a"', 'oneos.toml: name: "-a" cannot name a host'),
        ('name = ""', 'oneos.toml: name: expected a string, got ""'),
        ("name = 1", "oneos.toml: name: expected a string, got 1"),
        ("port = 0", "oneos.toml: port: expected a whole number from 1 to 65531, got 0"),
        ("port = true", "oneos.toml: port: expected a whole number from 1 to 65531, got true"),
        ('port = "4100"', 'oneos.toml: port: expected a whole number from 1 to 65531, got "4100"'),
        ("engine_port = 4100", "oneos.toml: port: port, engine_port and cluster_port have to"),
        ('core = "yes"', 'oneos.toml: core: expected true or false, got "yes"'),
        ('tags = "camera"', 'oneos.toml: tags: expected a list of strings, got "camera"'),
        ('tags = ["a b"]', 'oneos.toml: tags: "a b" cannot be a tag'),
        (
            "scrub_days = -1",
            "oneos.toml: scrub_days: expected a number from 0 to 3650, got -1",
        ),
        ("copies = 0", "oneos.toml: copies: expected a whole number from 1 to 16, got 0"),
        ('node = "no/such"', "oneos.toml: node: /etc/oneos/no/such is not there or not executable"),
        ("device = 1", "oneos.toml: device: expected tables [[device]], got 1"),
        ('[[device]]\nname = "x"\nkidn = "file"', 'oneos.toml: device "x".kind: missing'),
    ],
)
def test_a_fault_names_file_and_line_or_key(text: str, message: str) -> None:
    assert fault(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('name = "a"\n\nprot = 1', 3),
        ('name = "a"\n# port = 1\nport = "x"', 3),
        ('[[device]]\nname = "a"\nkind = "file"\npath = "p"\n\n[[device]]\nname = "a/b"', 6),
        ('[[device]]\nname = "a"\nkind = "file"\npath = "p"\n[[device]] # two\nname = "a/"', 5),
        ('[[device]]\nname = "a"\nkind = "fil"', 3),
        ('tags = [\n "a",\n "b c",\n]', 1),
    ],
)
def test_a_wrong_value_is_told_with_its_line(text: str, line: int) -> None:
    assert fault(text).endswith(f" (line {line})")


def test_relative_paths_start_where_the_file_says() -> None:
    text = 'directory = "data"\nrelative_to = "/srv/x"\n'
    text += '[[device]]\nname = "s"\nkind = "file"\npath = "s.csv"\n'
    config = parse(text)
    assert (str(config.directory), config.devices[0].directory) == ("/srv/x/data", "/srv/x")
    assert "is not an absolute path" in fault('relative_to = "x"')


def test_ports_that_meet_while_the_voters_change_are_refused() -> None:
    assert "have to differ" in fault("port = 4100\nengine_port = 4101\ncluster_port = 4103")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "oneos.toml"
    with pytest.raises(ConfigError, match=r"oneos\.toml: No such file or directory"):
        load_config(path)
    path.write_bytes(b'name = "a"\n# \xff\n')
    with pytest.raises(ConfigError, match=r"oneos\.toml: line 2: not UTF-8 text"):
        load_config(path)
    path.write_text('name = "a"\ndirectory = "data"\n')
    assert load_config(path).directory == tmp_path / "data"


@given(st.text(alphabet="aZ09-_. é", max_size=66))
def test_a_name_that_is_read_can_stand_in_a_certificate(name: str) -> None:
    try:
        accepted = parse(f'name = "{name}"').name == name
    except ConfigError:
        accepted = False
    assert accepted == valid_host_name(name)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        assert error.message.startswith("oneos.toml: ")
        assert "\n" not in error.message
