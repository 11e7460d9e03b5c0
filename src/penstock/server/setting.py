"""What there is to say about one setting: its names, kind, group and purpose.

A setting is a field of a dataclass whose metadata says all of that; `Config` is those dataclasses together.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock.server.kinds import Kind

LISTENING = "listening"
TLS = "TLS"
PROXIES = "proxies"
WORK = "work"
WORKERS = "workers"
DEADLINES = "deadlines"
LIMITS = "limits"
WEBSOCKET = "WebSocket"
LOG = "log and responses"
OBSERVING = "observability"
OPERATIONS = "operations"
DEVELOPMENT = "development"

GROUPS: Final = (
    *(LISTENING, TLS, PROXIES, WORKERS, WORK, DEADLINES, LIMITS, WEBSOCKET, LOG, OBSERVING),
    *(OPERATIONS, DEVELOPMENT),
)
"""In the order they are shown in."""

_UNITS = ("_bytes_per_s", "_bytes", "_s")


def setting(default: Any, group: str, kind: Kind, purpose: str) -> Any:
    """A field of `Config`; a default that depends on the machine is given as the function that makes it."""
    metadata = {"group": group, "kind": kind, "purpose": purpose}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Setting:
    """What there is to say about one field of `Config`."""

    name: str
    group: str
    kind: Kind
    purpose: str
    default: str  # as shown to people

    @property
    def key(self) -> str:
        """Its key in a file: the name without the unit."""
        for unit in _UNITS:
            if self.name.endswith(unit):
                return self.name.removesuffix(unit)
        return self.name

    @property
    def flag(self) -> str:
        """Its flag."""
        return "--" + self.key.replace("_", "-")

    @property
    def environment(self) -> str:
        """Its environment variable."""
        return "PENSTOCK_" + self.key.upper()


def describe(config_field: Any) -> Setting:
    """Return what its metadata says about a field."""
    kind = config_field.metadata["kind"]
    is_made = config_field.default is MISSING
    default = "one per processor" if is_made else kind.show(config_field.default)
    return Setting(
        name=config_field.name,
        group=config_field.metadata["group"],
        kind=kind,
        purpose=config_field.metadata["purpose"],
        default=default,
    )
