"""`Redactor`: what hides secrets in everything a process writes for people.

There is one for a process, `redactor()`. Logs put each message and traceback through `text`, targets and
queries go through `target` and `query`, values whose name is known through `field`, and variables of frames
through `locals`. What the settings `redact` and `redact_pattern` add, and what code adds with `add_names` and
`add_pattern`, holds for all of them.

Of every method: the time it takes is proportional to what it is given, whatever that is; it never raises;
what went through once comes out of a second time unchanged; a text without a secret is returned as it is. An
expression of an application's own is as fast as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from penstock.errors import ApplicationError
from penstock.http.secret_members import hide_members, hide_options
from penstock.http.secret_names import SecretNames
from penstock.http.secret_shapes import REDACTED, hide_shapes

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REDACTED", "Redactor", "redactor"]

_SHOWN: Final = frozenset({"", "None", "null", "True", "False", "true", "false"})
_URL_FIELDS: Final = frozenset(
    {"referer", "location", "content-location", "origin", "x-original-url", "link"}
)
_DEPTH = 16  # of plain data
_ROUNDS = 3  # of percent-encoding within percent-encoding


class Redactor:
    """Hides secrets, by name and by what they look like. `names` and `patterns` are those of an application.

    >>> Redactor().text('login of bob, password="hunter2", from http://bob:pw@host')
    'login of bob, password="[redacted]", from http://bob:[redacted]@host'
    """

    __slots__ = (
        "_added_names",
        "_added_patterns",
        "_names",
        "_patterns",
        "_set_names",
        "_set_patterns",
        "_stems",
    )

    def __init__(self, names: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self._added_names: tuple[str, ...] = ()
        self._added_patterns: tuple[re.Pattern[str], ...] = ()
        self.configure(names, patterns)

    def configure(self, names: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        """Set what the settings say; what code added stays. ApplicationError for what is no expression."""
        compiled = tuple([compile_pattern(pattern) for pattern in patterns])
        self._set_names, self._set_patterns = tuple(names), compiled
        self._prepare()

    def add_names(self, *names: str) -> None:
        """Take more names for those of secrets, each as the words it is made of."""
        for name in names:
            if not isinstance(name, str) or not name.strip():
                raise ApplicationError(f"a name to redact is text, not {name!r:.80}")
        self._added_names = tuple(dict.fromkeys((*self._added_names, *names)))
        self._prepare()

    def add_pattern(self, pattern: str) -> None:
        """Hide whatever a regular expression finds; where it has a group, that alone."""
        self._added_patterns = (*self._added_patterns, compile_pattern(pattern))
        self._prepare()

    def _prepare(self) -> None:
        # Each is set whole, so that other threads see the old or the new.
        self._patterns = tuple(dict.fromkeys((*self._set_patterns, *self._added_patterns)))
        names = SecretNames((*self._set_names, *self._added_names))
        self._stems = re.compile("|".join(map(re.escape, names.stems)))
        self._names = names

    def configured(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return all names and expressions there are beside ours, as `configure` of another process takes
        them.
        """
        return (*self._set_names, *self._added_names), tuple(one.pattern for one in self._patterns)

    def is_secret(self, name: str) -> bool:
        """Tell whether a name is one of a secret.

        >>> [redactor().is_secret(name) for name in ("X-Api-Key", "csrfToken", "max_tokens", "author")]
        [True, True, False, False]
        """
        return name in self._names

    def text(self, text: str) -> str:
        """Return a text of any kind without its secrets: a message, a traceback, JSON, a header section."""
        try:
            for pattern in self._patterns:
                # In pieces: an expression may find what stands there in place of a secret.
                text = REDACTED.join([pattern.sub(_hidden, piece) for piece in text.split(REDACTED)])
            text = hide_shapes(text)
            # PERF: nearly every message has nothing to hide: 0.8 us for 100 characters, and 2 with a `:` or
            # `=` in it (benchmarks/redaction.py). A look for one character takes 17 ns, for two 55.
            may_be_named = (
                "=" in text
                or ":" in text
                or ("'" in text and "'," in text)
                or ('"' in text and '",' in text)
                or ("%" in text and "%3" in text)
                or ("<" in text and "</" in text)
            )
            if may_be_named and self._stems.search(text.lower()) is not None:
                text = hide_members(text, self._names)
            if "-" in text and "--" in text:
                text = hide_options(text, self._names)
        except Exception:  # no secret is shown because something about it was unforeseen
            return REDACTED
        return text

    def field(self, name: str, value: str) -> str:
        """Return the value of a header field, cookie, parameter or member of that name, to be shown."""
        if value in _SHOWN:
            return value
        if name in self._names:
            return REDACTED
        return self.url(value) if name.lower() in _URL_FIELDS else self.text(value)

    def query(self, raw: str | bytes) -> str:
        """Return a query, percent-encoded as it came, with the values of secrets replaced.

        >>> redactor().query("q=a&token=b&next=%2Flogin%3Fpassword%3Dc")
        'q=a&token=[redacted]&next=[redacted]'
        """
        text = raw if isinstance(raw, str) else raw.decode("ascii", "backslashreplace")
        if not text:
            return text
        pieces = text.split("&")
        is_callback = any(
            piece.startswith("state=") for piece in pieces
        )  # RFC 6749 §4.1.2: then a code is one
        return "&".join([self._piece(piece, is_callback=is_callback) for piece in pieces])

    def _piece(self, piece: str, *, is_callback: bool) -> str:
        name, joint, value = piece.partition("=")
        plain = unquote_plus(name) if "%" in name or "+" in name else name
        if not joint:
            return piece if not self._hides(piece) else REDACTED
        if value in _SHOWN:
            return piece if not self._hides(name) else f"{REDACTED}={value}"
        last = plain.rpartition("-")[2].lower()
        if plain in self._names or last in ("signature", "sig") or (is_callback and plain == "code"):
            return f"{name if not self._hides(name) else REDACTED}={REDACTED}"
        hides_name, hides_value = self._hides(name), self._hides(value)
        if not hides_name and not hides_value:
            return piece
        return f"{REDACTED if hides_name else name}={REDACTED if hides_value else value}"

    def _hides(self, encoded: str) -> bool:
        """Tell whether something is to be hidden in a text that is percent-encoded, maybe several times."""
        if len(encoded) < 12 and encoded.isalnum() and not self._patterns:  # PERF: shorter than any shape
            return False
        for _ in range(_ROUNDS):
            if self.text(encoded) != encoded:
                return True
            if "%" not in encoded and "+" not in encoded:
                return False
            decoded = unquote_plus(encoded)
            if decoded == encoded:
                return False
            encoded = decoded
        return self.text(encoded) != encoded

    def path(self, raw: str | bytes) -> str:
        """Return a path with each segment that looks like a secret replaced.

        >>> redactor().path(b"/reset/eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ./now")
        '/reset/[redacted]/now'
        """
        text = raw if isinstance(raw, str) else raw.decode("ascii", "backslashreplace")
        if not self._hides(text):
            return text
        return "/".join([REDACTED if self._hides(segment) else segment for segment in text.split("/")])

    def target(self, path: str | bytes, query: str | bytes = "") -> str:
        """Return a request target, its path and its query, to be shown."""
        shown = self.path(path)
        return f"{shown}?{self.query(query)}" if query else shown

    def url(self, text: str) -> str:
        """Return a URL without the secrets in it, also those that are percent-encoded."""
        before, mark, rest = text.partition("?")
        query, hash_mark, fragment = rest.partition("#")
        # A fragment has the form of a query where it has tokens in it (RFC 6749 §4.2.2).
        return f"{self.text(before)}{mark}{self.query(query)}{hash_mark}{self.query(fragment)}"

    def members(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Return plain data, such as JSON is made of, with the values of secrets replaced however deep.

        >>> redactor().members({"user": "bob", "form": [{"password": "hunter2", "n": 1}]})
        {'user': 'bob', 'form': [{'password': '[redacted]', 'n': 1}]}
        """
        return {self._name(name): self._member(name, value, 0) for name, value in members.items()}

    def _member(self, name: str, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if name in self._names and value != "":
            return REDACTED
        if isinstance(value, str):
            return self.field(name, value)
        if isinstance(value, (int, float)):
            shown = str(value)
            return value if self.text(shown) == shown else REDACTED
        if depth >= _DEPTH:
            return self.text(str(value))
        if isinstance(value, Mapping):
            return {self._name(key): self._member(str(key), one, depth + 1) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._member("", one, depth + 1) for one in value]
        return self.text(str(value))

    def _name(self, name: Any) -> Any:
        return self.text(name) if isinstance(name, str) else name

    def locals(self, variables: Mapping[str, object]) -> dict[str, str]:
        """Return variables as text, each bounded, without the secrets among them or inside them."""
        from penstock.http.redacted_values import show_variables

        return show_variables(variables, self)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the expression; ApplicationError for one that is none, or finds nothing everywhere."""
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        raise ApplicationError(f"{pattern!r:.200} is no regular expression: {error}") from None
    if compiled.search("") is not None:
        raise ApplicationError(
            f"{pattern!r:.200} matches the empty text, and so would hide nothing or everything"
        )
    return compiled


def _hidden(found: re.Match[str]) -> str:
    if not found.re.groups:
        return REDACTED
    start, whole = found.start(), found[0]
    places = sorted({found.span(group) for group in range(1, found.re.groups + 1)} - {(-1, -1)})
    made: list[str] = []
    done = 0
    for first, last in places:
        if first - start >= done and last > first:
            made += (whole[done : first - start], REDACTED)
            done = last - start
    return "".join((*made, whole[done:])) if made else REDACTED


_redactor: Redactor | None = None


def redactor() -> Redactor:
    """Return the one of this process: `redactor().add_names("customer_id")`."""
    global _redactor  # noqa: PLW0603 - made at first use
    if _redactor is None:
        _redactor = Redactor()
    return _redactor
