"""The Initialization Manifest: OneOS's `init`, as TOML to frozen records.

It names the five core services, the hosts each may run on and what happens when one fails. The
first host of a network reads it once and writes it into the control log; from then on the log's
copy counts. Which host a service runs on at the moment is decided by the log (`state.control`),
within what stands here.
"""

from __future__ import annotations

from importlib import resources

from msgspec import Struct

from oneos.errors import ConfigError
from oneos.ids import ServiceName
from oneos.limits import SERVICE_RESTARTS_MAX, SERVICE_RESTARTS_WINDOW_S
from oneos.state.control_types import SERVICES, ServiceRule
from oneos.toml_table import Table, parse_toml

RESTARTS = ("always", "on-failure", "never")
_HOSTS_HINT = 'write hosts = "core", "any", "tag:NAME" or ["hub", "pi1"]'


class Service(Struct, frozen=True):
    """One core service: where it may run, and its restart policy.

    `hosts` is "core", "any", "tag:NAME" or a list of host names. More than `restarts_max` failures
    within `restart_window_s` seconds make the host give the service up.
    """

    name: ServiceName
    hosts: str | list[str]
    count: int
    restart: str
    restarts_max: int
    restart_window_s: int


class Manifest(Struct, frozen=True):
    """A whole manifest: its services in the order of `SERVICES`, and the text it was read from."""

    services: list[Service]
    text: str

    def rules(self) -> list[ServiceRule]:
        """The part that decides on placement, as the control log keeps it."""
        return [ServiceRule(service.name, service.hosts) for service in self.services]


def default_manifest() -> Manifest:
    """The manifest of the package."""
    text = resources.files("oneos.kernel").joinpath("manifest.toml").read_text(encoding="utf-8")
    return parse_manifest(text, "the default manifest")


def parse_manifest(text: str, source: str) -> Manifest:
    """The manifest in a TOML text.

    Args:
        text: the whole file.
        source: its name, for messages.

    Raises:
        ConfigError: it is no TOML, lacks a service, has a key or service that is not known, or
            leaves a service without a host.
    """
    top = parse_toml(text, source)
    tables = top.tables("service")
    top.close()
    for name in tables:
        if name not in SERVICES:
            raise top.error(f"service.{name}", "unknown service", f"known: {', '.join(SERVICES)}")
    for name in SERVICES:
        if name not in tables:
            raise ConfigError(
                f"{source}: service {name} is missing",
                hint=f"all of {', '.join(SERVICES)} are needed; add [service.{name}]",
            )
    return Manifest([_service(name, tables[name]) for name in SERVICES], text)


def _service(name: str, table: Table) -> Service:
    service = Service(
        name=ServiceName(name),
        hosts=_hosts(name, table),
        count=table.integer("count", 1, 0, 2**31 - 1),
        restart=table.choice("restart", "always", RESTARTS),
        restarts_max=table.integer("restarts_max", SERVICE_RESTARTS_MAX, 0, 1000),
        restart_window_s=table.integer("restart_window_s", SERVICE_RESTARTS_WINDOW_S, 1, 24 * 3600),
    )
    table.close()
    if service.count != 1:
        raise table.error("count", f"{service.count} is not possible in this version: write 1")
    return service


def _hosts(name: str, table: Table) -> str | list[str]:
    hosts = table.string_or_strings("hosts", "core")
    if not hosts or (isinstance(hosts, list) and not all(hosts)):
        raise table.error("hosts", f"service {name} may run on no host", _HOSTS_HINT)
    if isinstance(hosts, list) or hosts in ("core", "any"):
        return hosts
    if not hosts.startswith("tag:") or hosts == "tag:":
        raise table.error("hosts", f'"{hosts}" says no hosts', _HOSTS_HINT)
    return hosts
