"""Values by the names in front of them, in any text: `password=x`, `"token": "x"`, `('secret', 'x')`.

What follows a name of a secret is its value, up to where its notation ends: a quote, a bracket, a comma, the
end of the line. Left as it is what is evidently none: nothing, None, a type, prose behind a colon ("token:
must be text"), code ("password = form["). In doubt it is hidden.

One walk from left to right, in time proportional to the text: a value is consumed when it is looked at, and
the end of a line is searched once for each line. Nested JSON in JSON, with its backslashes, is followed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.http.secret_names import words
from penstock.http.secret_shapes import REDACTED

if TYPE_CHECKING:
    from penstock.http.secret_names import SecretNames

# A name, what closes it, and what stands between it and the value; a comma does so in tuples alone.
_NAMED = re.compile(
    r"(?<![\w.\-])([\w.\-]++)((?:\\{0,8}+['\"`]|%22|%27)?+)(\]{0,2}+)[ \t]{0,20}+"
    r"(=>|:=|={1,3}+|:|,|>|%3[AaDd])[ \t]{0,20}+"
)
_OPENING = re.compile(r"[bBrRuUfF]{0,2}+(\\{0,8}+)([\"'`])")
_INSIDE = {quote: re.compile(rf"(?:[^\n\\{quote}]++|\\.)*+") for quote in "\"'`"}
_BRACKET = re.compile(r"[\[\](){}\n]")
_CLOSING = {"[": "]", "(": ")", "{": "}"}
# A comma or semicolon goes on when neither a gap nor the next name follows.
_RUN = re.compile(
    r"(?:[^\s,;&\"'`<>()\[\]{}\\]++|\[redacted\]|\\(?![nrt\"'\\])|[,;](?![\s\"'\\]|$|[\w.\-]{1,64}+[\"']?[=:]))++"
)
_COOKIES = re.compile(r"(?:; ?[\w\-]{1,128}+=[^\s;,\"']*+)++")
_OPTION = re.compile(r"(?<!\S)(--[A-Za-z][\w\-]{1,60}+)([ \t]{1,4}+)((?!-)(?:\"[^\"\n]*+\"|'[^'\n]*+'|\S)++)")
_SAID: Final = words("is and or to for with the a an of in as may has was are from")
"""Behind an option that is talked about."""
_ELEMENT = re.compile(r"[^<\n]++(?=</)")
_CALLED = re.compile(r"\\{0,8}+[\"']([\w.\-\[\]]{1,128}+)(?=\\{0,8}+[\"'])")
_VALUE_BEHIND = re.compile(r"[^\n<>]{1,100}?\bvalue[\"']?[ ]?[=:][ ]?[\"']([^\"'\n]*+)")
_HEAD_OF_PART = re.compile(
    r"[^\r\n\\]{1,200}+(\r\n|\n|\\r\\n)(?:[A-Za-z\-]{1,50}+:[^\r\n\\]{1,200}+\1){0,4}+\1"
)
_NAMES_OF: Final = words("name Name key field header")
_BLOCK = 10_000
_TYPES = re.compile(
    r"(?:str|bytes|int|object|Any|Final|SecretStr)(?: ?\| ?(?:None|str|bytes|int))*+ = "
    r"|(?:Secret|Optional|Annotated)\[[^\]\n=]{1,80}\] = "
)
# `get(x)`, `form["x"]`; but `ab(c)d` is none.
_CALL = re.compile(r"(?:await |not )?[A-Za-z_.]++[(\[](?![^()\[\]\n]{0,100}+[)\]]\w)")
_PLACEHOLDER = re.compile(r"\{[A-Za-z_.]++(?:![rsa])?\}")
_WORD_BEFORE = re.compile(r"([A-Za-z]++) \Z")
_PLACE = re.compile(r"[A-Za-z_.]++")
_PROSE = re.compile(r"([A-Za-z][a-z']*+)[.!]?+ ++(?=[A-Za-z(\"'`])([A-Za-z]*+)")
_NESTED = re.compile(r"[a-z_]++[:=]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9\-]{1,24}+[ \t]++(?=[A-Za-z0-9\-._~+/%]{3}|\[redacted\])")

_FIELDS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
"""Of header fields with these names everything up to the end of the line."""
_SCHEMES: Final = words("basic bearer digest negotiate ntlm token apikey hawk")
_OURS: Final = words(
    "APIKey BasicAuth BearerAuth CSRF CookieSessions JWT OAuth2AuthorizationCode OAuth2Password RemoteJWT "
    "ServerSessions"
)
"""They stand before messages about how they are used: `CSRF: max_age_s=0; expected ...`."""
_NO_SECRETS: Final = words(
    "none null nil true false undefined nan str int bytes bool float object any string text "
    "secretstr missing required optional invalid valid expired empty unknown wrong absent closed "
    "denied refused failed ok set unset given needed expected on off yes no enabled disabled found "
    "hidden default not ... …"
)


class _Value(NamedTuple):
    start: int
    end: int
    shown: str


def hide_options(text: str, names: SecretNames) -> str:
    """Return a text in which the values of options of a command line, `--password x`, are `[redacted]`."""

    def hidden(found: re.Match[str]) -> str:
        option, gap, value = found.groups()
        is_said = value.isupper() or value.lower() in _NO_SECRETS or value.lower() in _SAID
        return found[0] if is_said or option not in names else f"{option}{gap}{REDACTED}"

    return _OPTION.sub(hidden, text)


def hide_members(text: str, names: SecretNames) -> str:
    """Return a text in which the values of secret names are `[redacted]`."""
    made: list[str] = []
    done = at = 0
    lines = _Lines(text)
    while (found := _NAMED.search(text, at)) is not None:
        at = found.end()
        if found[1] in _NAMES_OF and (value := _value_of_named(found, text, names)) is not None:
            made += (text[done : value.start], value.shown)
            done = at = value.end
            continue
        if not _is_secret(found, text, names):
            if found[4] in (":", ","):
                at = found.end(3)  # what follows may be a name itself: `a, password=x`
            continue
        value = _value(found, text, lines)
        if value is None:
            continue
        made += (text[done : value.start], value.shown)
        done = at = value.end
    if not made:
        return text
    made.append(text[done:])
    return "".join(made)


class _Lines:
    """Where the line of a place ends; places are asked for in order."""

    __slots__ = ("_end", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = -1

    def end(self, at: int) -> int:
        if at > self._end:
            found = self._text.find("\n", at)
            self._end = len(self._text) if found < 0 else found
        return self._end


def _is_secret(found: re.Match[str], text: str, names: SecretNames) -> bool:
    name = found[1]
    if name not in names:
        # `API key: x`, `card number: x`: the word before it belongs to it.
        if name.lower() not in ("key", "keys", "number", "code", "no", "id"):
            return False
        before = _WORD_BEFORE.search(text, max(0, found.start() - 16), found.start())
        if before is None or f"{before[1]} {name}" not in names:
            return False
    # A host, not a name: `http://auth:8000`.
    return text[max(0, found.start() - 3) : found.start()] != "://"


def _value(found: re.Match[str], text: str, lines: _Lines) -> _Value | None:
    """Return the value behind a name, None when there is nothing to hide."""
    at, joint = found.end(), found[4]
    if joint == ">":  # of XML
        inside = _ELEMENT.match(text, at) if text[found.start() - 1 : found.start()] in ("<", ":") else None
        return None if inside is None else _Value(at, inside.end(), REDACTED)
    typed = _TYPES.match(text, at) if joint == ":" else None
    if typed is not None:
        at, joint = typed.end(), "="
    opening = _OPENING.match(text, at)
    if opening is not None and not found[2] and text[found.start() - 1 : found.start()] == opening[2]:
        return None  # it closes what was opened before the name: "session:" + x
    if joint == "," and (opening is None or not _is_in_pair(found, text)):
        return None
    if opening is not None:
        is_pair = joint == "," and not found[1].startswith("--")
        return _quoted(opening, text, lines, is_pair=is_pair)
    if at >= len(text):
        return None
    if _PLACEHOLDER.match(text, at) is not None:  # of an f-string in a line of source
        return None
    if text[at] in "[{(" and not (text[at] == "(" and joint == ":"):
        return _bracketed(at, text, lines, quote=found[2] if "%" not in found[2] else "")
    if joint == ":" and found[1].lower() in _FIELDS:
        return _field(found, at, text, lines)
    return _bare(found, at, joint, text)


def _is_in_pair(found: re.Match[str], text: str) -> bool:
    """Tell whether a name is the first of a pair, as in the repr of header fields: `('cookie', 'x')`."""
    quote = found[2]
    if not quote or found[3]:
        return False
    start = found.start() - len(quote)
    if start < 1 or text[start : found.start()] != quote:
        return False
    before = text[start - 1]
    if found[1].startswith("--"):  # of a command line as a list
        return True
    return before in "([" or (before in "bB" and start > 1 and text[start - 2] in "([")


def _quoted(opening: re.Match[str], text: str, lines: _Lines, *, is_pair: bool) -> _Value | None:
    start, (slashes, quote) = opening.end(), opening.groups()
    if slashes:
        end = text.find(slashes + quote, start, lines.end(start))
        end = lines.end(start) if end < 0 else end
    elif text.startswith(quote * 2, start) and not is_pair:  # three of them
        start += 2
        end = text.find(quote * 3, start, lines.end(start))
        end = lines.end(start) if end < 0 else end
    else:
        inside = _INSIDE[quote].match(text, start)
        end = start if inside is None else inside.end()
    if is_pair and text[end + 1 : end + 2] not in (")", "]"):
        return None
    return None if end == start else _Value(start, end, REDACTED)


def _bracketed(at: int, text: str, lines: _Lines, *, quote: str) -> _Value | None:
    if text.startswith(REDACTED, at):
        return _Value(at, _end_behind(at + len(REDACTED), text), REDACTED)
    waiting: list[str] = []
    end = lines.end(at)
    if text[at + 1 : end].strip() == "":  # JSON over several lines
        end = min(len(text), at + _BLOCK)
    for found in _BRACKET.finditer(text, at, end):
        bracket = found[0]
        if bracket in _CLOSING:
            waiting.append(_CLOSING[bracket])
        elif waiting and bracket == waiting[-1]:
            waiting.pop()
            if not waiting:
                end = found.end()
                break
    if end - at <= 2:  # nothing in it
        return None
    return _Value(at, _end_behind(end, text), f"{quote}{REDACTED}{quote}")


def _value_of_named(found: re.Match[str], text: str, names: SecretNames) -> _Value | None:
    """Return the value of what is called by a secret name: of a part of multipart, of an input of HTML, of
    `{"name": "password", "value": "x"}`.
    """
    called = _CALLED.match(text, found.end())
    if called is None or called[1] not in names:
        return None
    value = _VALUE_BEHIND.match(text, called.end())
    if value is not None:
        return _Value(value.start(1), value.end(1), REDACTED) if value[1] else None
    part = _HEAD_OF_PART.match(text, called.end())
    if part is None:
        return None
    end = text.find(f"{part[1]}--", part.end())
    end = len(text) if end < 0 else end
    return _Value(part.end(), end, REDACTED) if end > part.end() else None


def _end_behind(end: int, text: str) -> int:
    """Return where a value ends that goes on behind its bracket."""
    run = _RUN.match(text, end)
    return end if run is None else end + _end_of_value(run[0])


def _field(found: re.Match[str], at: int, text: str, lines: _Lines) -> _Value | None:
    end = lines.end(at)
    before = text[found.start() - 1 : found.start()] if found.start() else ""
    if before and before in "\"'`":  # of a command line, `-H 'Cookie: a=b'`
        closing = text.find(before, at, end)
        end = closing if closing >= 0 else end
    while end > at and text[end - 1] in "\r \t":
        end -= 1
    run = _RUN.match(text, at)
    if end == at or _is_prose(at, text) or (run is not None and run[0].lower() in _NO_SECRETS):
        return None
    return _Value(at, end, REDACTED)


def _end_of_value(run: str) -> int:
    """Return where a value ends: a full stop or colon behind it is of the sentence."""
    return len(run.rstrip(".:"))


def _is_prose(at: int, text: str) -> bool:
    found = _PROSE.match(text, at)
    return found is not None and found[1].lower() not in _SCHEMES


def _bare(found: re.Match[str], at: int, joint: str, text: str) -> _Value | None:
    run = _RUN.match(text, at)
    if run is None:
        return None
    name = found[1].lower()
    if joint != ":" or text[at - 1] != ":":
        if _CALL.match(text, at) is not None:
            return None
        if joint == ":" and (_is_prose(at, text) or (found[1] in _OURS and _NESTED.match(text, at))):
            return None
    end = at + _end_of_value(run[0])
    value = text[at:end]
    last = value.rpartition(".")[2].strip("_").lower()
    is_name = _PLACE.fullmatch(value) is not None and last == name.rpartition(".")[2].strip("_")
    if is_name or not value.strip("*.#") or value.lower() in _NO_SECRETS:  # `self.token = token`
        return None
    scheme = _SCHEME.match(text, at)
    if scheme is not None and value.lower() in _SCHEMES:
        credentials = _RUN.match(text, scheme.end())
        end = end if credentials is None else credentials.end()
    if "cookie" in name:
        more = _COOKIES.match(text, end)
        end = end if more is None else more.end()
    return _Value(at, end, REDACTED)
