"""What the `[[export]]` tables of a configuration may say, and how it is refused."""

from pathlib import Path

import pytest

from oneos.config_exports import ExportConfig, parse_exports
from oneos.errors import ConfigError
from oneos.toml_table import parse_toml


def parse(text: str) -> list[ExportConfig]:
    return parse_exports(parse_toml(text, "host.toml"), Path("/base"))


def test_nothing_is_exported_by_itself() -> None:
    assert parse("") == []


def test_export_is_read_only_unless_it_says_otherwise() -> None:
    text = """
        [[export]]
        name = "music"
        path = "/srv/music"

        [[export]]
        name = "in"
        path = "inbox"
        write = true
    """
    assert parse(text) == [
        ExportConfig(name="music", path="/srv/music", write=False),
        ExportConfig(name="in", path="/base/inbox", write=True),
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('path = "/x"', "export[1].name: missing"),
        ('name = "a"', 'export "a".path: missing'),
        ('name = "a/b"\npath = "/x"', '"a/b" cannot be a name under /host'),
        ('name = ".."\npath = "/x"', '".." cannot be a name under /host'),
        ('name = "a"\npath = "/x"\nwrite = "yes"', 'export "a".write'),
        ('name = "a"\npath = "/x"\nreadonly = true', "readonly: unknown key"),
        ('name = "a"\npath = "/x"\n[[export]]\nname = "a"\npath = "/y"', "exported twice"),
    ],
)
def test_what_is_wrong_names_the_export(body: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse("[[export]]\n" + body)
    assert message in str(error.value)
