"""Who has to say who they are, and how: the security schemes among the dependencies of a route.

A scheme is any dependency with `scheme_name`, `security_scheme` (a Security Scheme Object) and `scopes`; one
with `is_optional` lets in those who say nothing, too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from penstock.app.injection.tree import walk

if TYPE_CHECKING:
    from penstock.app.binding.signature import Signature
    from penstock.app.openapi.components import Schema


class SecuritySchemes:
    """The schemes of a document, by name; of two that differ and have one name the second is numbered."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}
        self._names: dict[tuple[str, str], str] = {}

    def requirements(self, signature: Signature) -> list[dict[str, list[str]]]:
        """Return the Security Requirement Objects of an operation, one of which has to be met: the scopes by
        scheme. None when nobody is asked.
        """
        found: dict[str, list[str]] = {}
        needed: set[str] = set()
        for node in walk(signature):
            # What a test puts in its place says nothing of the application.
            scheme: Any = node.declared if hasattr(node.declared, "scheme_name") else node.function
            if not hasattr(scheme, "scheme_name") or not hasattr(scheme, "security_scheme"):
                continue
            name = self._name(scheme)
            scopes = found.setdefault(name, [])
            scopes += [one for one in getattr(scheme, "scopes", ()) if one not in scopes]
            if not getattr(scheme, "is_optional", False):
                needed.add(name)
        if not found:
            return []
        least = {name: scopes for name, scopes in found.items() if name in needed}
        return [found] if len(least) == len(found) else [found, least]

    def _name(self, scheme: Any) -> str:
        described = dict(scheme.security_scheme)
        key = (scheme.scheme_name, json.dumps(described, sort_keys=True, default=str))
        if key not in self._names:
            name, number = scheme.scheme_name, 1
            while name in self.named:
                number += 1
                name = f"{scheme.scheme_name}_{number}"
            self._names[key] = name
            self.named[name] = described
        return self._names[key]
