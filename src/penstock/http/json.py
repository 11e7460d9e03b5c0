"""JSON (RFC 8259): compact octets out, strict values in.

Writing goes through one C encoder prepared at import; what it does not know (dataclasses, dates, sets) passes
one hook. It keeps no state, so a hook, a thread or another value may use it at any moment; the price is that
a value which contains itself is found by its depth, not by identity.

Reading refuses what RFC 8259 leaves to chance, because two readers that differ are a hole: a name twice in
one object, NaN and Infinity, numbers out of range, lone surrogates, nesting past `MAX_DEPTH`. Every refusal
is a ValueError with a message that may be shown to the client. Where msgspec is installed it reads, with the
same answers (`json_quick`). Writing stays with the standard library: msgspec would write other octets.
"""

from __future__ import annotations

import json.decoder
import json.encoder
import re
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isinf
from typing import Any

from penstock.http.json_quick import count_members, has_members, make_decoder

MAX_DEPTH = 128  # serde_json 128, System.Text.Json 64, PHP 512

# So many lists and objects in a text make msgspec, and counting members, quicker than the standard library.
_MANY = 16
_SPACE = " \t\n\r"  # RFC 8259 §2; str.strip() alone takes more
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_PLAIN = bytes(set(range(256)) - set(b'[]{}"'))
# A surrogate pair, or (group 1) half of one, or any other escape: `\\ud800` is a backslash and letters.
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F])|.)", re.DOTALL)


def dumps(value: object) -> bytes:
    """Return compact UTF-8 JSON, or raise TypeError for what has no JSON form, ValueError for NaN and loops.

    Dataclasses and mappings become objects, sets arrays, an Enum its value, dates, times and durations ISO
    8601, UUID and Decimal strings; a `msgspec.Struct` or `pydantic.BaseModel` what its package makes of it.

    >>> from datetime import date
    >>> dumps({"id": 7, "since": date(2024, 2, 29), "tags": ("é",)}).decode()
    '{"id":7,"since":"2024-02-29","tags":["é"]}'
    """
    try:
        return _encode(value).encode()
    except RecursionError:
        raise ValueError("the value contains itself, or is nested too deep for JSON") from None
    except UnicodeEncodeError as error:
        raise ValueError(
            f"a text holds a lone surrogate, {error.object[error.start]!r}, which is not UTF-8"
        ) from None


def struct_encoder() -> Callable[[Any], bytes]:
    """Return what `dumps` is for a `msgspec.Struct`, by msgspec at once. PERF: 0.3 us instead of 2.1."""
    import msgspec

    encode = msgspec.json.Encoder().encode

    def dumps_struct(value: Any) -> bytes:
        content = encode(value)
        # msgspec writes null for NaN, which is an error here
        return dumps(value) if b"null" in content else content

    return dumps_struct


def loads(raw: bytes) -> object:
    """Return the value these octets stand for, or raise ValueError saying what is wrong and where.

    >>> loads(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    >>> loads(b'{"role": "user", "role": "admin"}')
    Traceback (most recent call last):
    ValueError: the name "role" stands twice in one object
    """
    containers = raw.count(b"[") + raw.count(b"{")
    # PERF: those two counts (0.1 us) tell that most content cannot be too deep
    if containers > MAX_DEPTH and _is_too_deep(raw):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if containers == 1 or containers > _MANY:  # PERF: for a few nested ones, counting takes what it saves
        try:
            value = (_decode or _choose_decoder())(raw)
            if type(value) is dict and containers == 1:
                if raw.count(b":") == len(value) or has_members(raw, len(value)):
                    return value
            elif has_members(raw, count_members(value, containers)):
                return value
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            pass
    return _loads_by_hand(raw)


def _loads_by_hand(raw: bytes) -> object:
    """Do the same with the standard library, but for the depth."""
    try:
        text = str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at octet {error.start}") from None
    if "\\u" in text:
        _check_surrogates(text)
    stripped = text.strip(_SPACE)
    try:
        # PERF: the scanner under JSONDecoder.decode without its two regex matches, 0.6 us less
        value, end = _scan(stripped, 0)
        if end == len(stripped):
            return value
    except StopIteration:
        pass
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError:
        raise
    except _Refused as refused:
        raise ValueError(str(refused)) from None
    except ValueError:  # int() has a limit, against numbers that take minutes to convert
        raise ValueError(f"an integer has more than {sys.get_int_max_str_digits()} digits") from None
    return _DECODER.decode(text)  # which raises, with line and column


def _choose_decoder() -> Callable[[bytes], Any]:
    """Decide once, when JSON is read first, what reads it: importing msgspec takes its time."""
    global _decode  # noqa: PLW0603
    _decode = make_decoder() or _leave_it
    return _decode


def _leave_it(_raw: bytes) -> object:
    raise ValueError


class _Refused(ValueError):
    """Syntax is in order, what it says is not."""


def _default(value: object) -> object:
    kind: type = type(value)
    return _converter(kind)(value)


@lru_cache(512)  # PERF: a type is looked up once
def _converter(kind: type) -> Callable[[Any], object]:
    if "__dataclass_fields__" in dir(kind):
        from dataclasses import fields

        names = [field.name for field in fields(kind)]
        return lambda value: {name: getattr(value, name) for name in names}
    if hasattr(kind, "__struct_config__"):
        import msgspec

        return msgspec.to_builtins
    if hasattr(kind, "__pydantic_serializer__"):
        return lambda value: value.__pydantic_serializer__.to_python(value, mode="json", by_alias=True)
    for base in kind.__mro__:
        found = _BY_NAME.get((base.__module__, base.__name__))
        if found is not None:
            return found
    return dict if issubclass(kind, Mapping) else _refuse


def _refuse(value: object) -> object:
    hint = "; decode it first" if isinstance(value, (bytes, bytearray)) else ""
    raise TypeError(f"{type(value).__name__} has no JSON form{hint}")


def _duration(value: Any) -> str:
    """ISO 8601: P1DT2H30M, the days as they are counted."""
    sign, value = ("-", -value) if value.days < 0 else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    days = f"{value.days}D" if value.days else ""
    parts = f"{hours}H" * (hours > 0), f"{minutes}M" * (minutes > 0)
    clock = "".join(parts) + (f"{seconds}{fraction}S" if seconds or fraction else "")
    return f"{sign}P{days}{'T' + clock if clock else ''}" if days or clock else "PT0S"


# By name: a value of such a type has its module loaded, and nobody else should pay 5 ms for importing them.
_BY_NAME: dict[tuple[str, str], Callable[[Any], object]] = {
    ("builtins", "frozenset"): list,
    ("builtins", "set"): list,
    ("datetime", "date"): lambda value: value.isoformat(),
    ("datetime", "datetime"): lambda value: value.isoformat(),
    ("datetime", "time"): lambda value: value.isoformat(),
    ("datetime", "timedelta"): _duration,
    ("decimal", "Decimal"): str,
    ("penstock.http.secret", "Secret"): str,
    ("enum", "Enum"): lambda value: value.value,
    ("uuid", "UUID"): str,
}


def _prepare() -> Callable[[object], str]:
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        options = {"ensure_ascii": False, "allow_nan": False, "check_circular": False}
        return json.JSONEncoder(**options, separators=(",", ":"), default=_default).encode
    # PERF: JSONEncoder.encode builds this at every call; 0.9 instead of 2.3 us for three fields.
    # Order: markers, default, string encoder, indent, separators, sort_keys, skipkeys, allow_nan.
    encode = make(None, _default, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    join = "".join
    return lambda value: join(encode(value, 0))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f'the name "{twice[:60]}" stands twice in one object')
    return value


def _real(digits: str) -> float:
    value = float(digits)
    if isinf(value):
        raise _Refused(f"the number {digits[:60]} is out of range")
    return value


def _constant(name: str) -> object:
    raise _Refused(f"{name} is not JSON")


def _is_too_deep(raw: bytes) -> bool:
    """Say whether brackets nest past MAX_DEPTH; broken JSON may pass, the scanner refuses it."""
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    # PERF: what is no bracket is gone in C; looking for brackets with a regex takes as long as parsing.
    brackets = raw.translate(_ONE_KIND, _PLAIN).replace(b'""', b"")
    if b'"' in brackets:  # some are inside strings
        brackets = b"".join(brackets.split(b'"')[::2])
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket == 0x5B else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _check_surrogates(text: str) -> None:
    for escape in _ESCAPE.finditer(text):
        if escape[1] is not None:
            raise ValueError(f"a lone surrogate is escaped at character {escape.start()}")


_decode: Callable[[bytes], Any] | None = None
_encode = _prepare()
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_real, parse_constant=_constant)
_scan: Callable[[str, int], tuple[object, int]] = vars(_DECODER)["scan_once"]
