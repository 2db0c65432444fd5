"""The Initialization Manifest: what is read, and what is refused with which words."""

import pytest

from oneos.errors import ConfigError
from oneos.kernel.manifest import default_manifest, parse_manifest
from oneos.state.control_types import SERVICES, ServiceRule

# Without the comments at its head, which contain the same words.
TEXT = default_manifest().text[default_manifest().text.index("[service.") :]


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_manifest(text, "m.toml")
    return caught.value.message


def test_the_default_runs_each_service_once_on_a_core_host() -> None:
    manifest = default_manifest()
    assert manifest.rules() == [ServiceRule(name, "core") for name in SERVICES]
    assert {
        (s.count, s.restart, s.restarts_max, s.restart_window_s) for s in manifest.services
    } == {(1, "always", 5, 60)}


def test_what_a_service_leaves_out_has_the_defaults_of_the_package() -> None:
    bare = "".join(f"[service.{name}]\n" for name in SERVICES)
    assert parse_manifest(bare, "m.toml").services == default_manifest().services


@pytest.mark.parametrize("hosts", ["any", "core", "tag:camera", ["hub", "pi1"]])
def test_hosts_may_be_chosen_by_kind_tag_or_name(hosts: str | list[str]) -> None:
    text = TEXT.replace('"core"', str(hosts) if isinstance(hosts, list) else f'"{hosts}"')
    assert {str(rule.hosts) for rule in parse_manifest(text, "m.toml").rules()} == {str(hosts)}


@pytest.mark.parametrize("hosts", ["[]", '[""]'])
def test_a_service_that_may_run_on_no_host_is_refused(hosts: str) -> None:
    head, tail = TEXT.split("[service.filesystem]")
    text = head + "[service.filesystem]" + tail.replace('"core"', hosts, 1)
    line = next(n for n, x in enumerate(text.split("\n"), 1) if x.startswith(f"hosts = {hosts}"))
    expected = "m.toml: service.filesystem.hosts: service filesystem may run on no host"
    assert fault(text) == f"{expected} (line {line})"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[service.storage]", "[service.store]", "m.toml: service.store: unknown service"),
        ("count = 1", "count = 2", "service.pubsub.count: 2 is not possible in this version"),
        ("count = 1", "count = 0", "service.pubsub.count: 0 is not possible in this version"),
        ("count", "cuont", "m.toml: service.pubsub.cuont: unknown key, did you mean count?"),
        ('"always"', '"sometimes"', "is none of always, on-failure, never"),
        ("= 60", "= 0", "service.pubsub.restart_window_s: expected a whole number from 1"),
        ('"core"', '"croe"', 'service.pubsub.hosts: "croe" says no hosts'),
        ('"core"', '"tag:"', 'service.pubsub.hosts: "tag:" says no hosts'),
        ('"core"', "1", "service.pubsub.hosts: expected a string, got 1"),
        ('"core"', '["a", 1]', "service.pubsub.hosts: expected a list of strings"),
        ("[service.pubsub]", "[services.pubsub]", "m.toml: services: unknown key"),
    ],
)
def test_a_fault_is_named_with_its_place(old: str, new: str, message: str) -> None:
    assert message in fault(TEXT.replace(old, new, 1))


def test_a_missing_service_is_named() -> None:
    text = TEXT[: TEXT.index("[service.storage]")]
    assert fault(text) == "m.toml: service storage is missing"
    assert fault("") == "m.toml: service pubsub is missing"


def test_what_is_no_toml_is_named_with_its_line() -> None:
    assert fault(TEXT.replace("count = 1", "count =", 1)) == "m.toml: line 3: invalid value"
    assert fault("[service.pubsub") == (
        "m.toml: line 1: expected ']' at the end of a table declaration"
    )
