"""Redaction as logs, pages and dumps use it: `redactor().text(message)`.

It is made in `http/redaction.py`, because values such as `Headers` hide the same secrets in their repr.
"""

from __future__ import annotations

from penstock.http.redaction import REDACTED, Redactor, redactor

__all__ = ["REDACTED", "Redactor", "redactor"]
