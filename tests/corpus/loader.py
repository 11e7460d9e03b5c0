"""Reads the corpus: text files in, cases out.

README.md describes the format. A line the format does not know is an error, so that a misspelt expectation
never passes as no expectation. Nothing here knows the code under test.
"""

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent

_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\", "{": b"{"}
_PIECE = re.compile(r"\\x([0-9a-f]{2})|\\([rnt\\{])|\{((?:[^{}\\]|\\.)*)\*([0-9]+)\}|([^\\{])")


class CorpusError(Exception):
    """A corpus file breaks its own format."""


@dataclass
class Expected:
    """One request a case must give."""

    method: str
    raw_path: bytes
    raw_query: bytes
    version: str = "1.1"
    persistent: bool = True
    expects_continue: bool = False
    upgrade: str | None = None
    host: str | None = None
    fields: dict[str, list[str]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    content: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Case:
    """One case: octets, and what they must give."""

    name: str
    theme: str
    line: int
    why: str = ""
    octets: bytes = b""
    requests: list[Expected] = field(default_factory=list)
    error: int | None = None
    error_words: list[str] = field(default_factory=list)
    cut: int | None = None
    limits: dict[str, int] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)
    live: str = "200"

    @property
    def where(self) -> str:
        """File and line, to be named when the case fails."""
        return f"tests/corpus/{self.theme}.http:{self.line}"


def to_octets(text: str) -> bytes:
    r"""Octets of their visible writing: ``to_octets(r"a\r\n{b*3}") == b"a\r\nbbb"``."""
    out = []
    end = 0
    for match in _PIECE.finditer(text):
        if match.start() != end:
            break
        end = match.end()
        hexadecimal, escape, repeated, count, plain = match.groups()
        if hexadecimal is not None:
            out.append(bytes([int(hexadecimal, 16)]))
        elif escape is not None:
            out.append(_ESCAPES[escape])
        elif repeated is not None:
            out.append(to_octets(repeated) * int(count))
        else:
            out.append(plain.encode("ascii"))
    if end != len(text):
        raise CorpusError(f"unknown escape in {text[end : end + 20]!r}")
    return b"".join(out)


@functools.cache
def load_corpus() -> tuple[Case, ...]:
    """Every case of every file, in order of file name and line."""
    cases = [case for path in sorted(FOLDER.glob("*.http")) for case in load_file(path)]
    names = [case.name for case in cases]
    for case in cases:
        if names.count(case.name) > 1:
            raise CorpusError(f"{case.where}: the name {case.name!r} occurs twice")
    return tuple(cases)


def load_file(path: Path) -> list[Case]:
    """Every case of one file."""
    cases: list[Case] = []
    case = None
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        if not line:
            case = None
            continue
        try:
            if line.startswith("case: "):
                case = Case(line[6:], path.stem, number)
                cases.append(case)
            elif case is None:
                raise CorpusError("no case begun")
            else:
                _read_line(case, line)
        except (CorpusError, ValueError, LookupError) as error:
            raise CorpusError(f"{path.name}:{number}: {error}: {line!r}") from error
    return cases


def _read_line(case: Case, line: str) -> None:
    if line.startswith("> "):
        if case.requests or case.error or case.cut:
            raise CorpusError("octets after an expectation")
        case.octets += to_octets(line[2:])
        return
    name, colon, value = line.partition(":")
    value = value.removeprefix(" ")
    if not colon:
        raise CorpusError("no colon")
    if case.error or case.cut:
        raise CorpusError("an expectation after error or cut")
    if name.startswith("  "):
        _read_attribute(case.requests[-1], name.strip(), value)
    elif name == "why":
        case.why = value
    elif name == "limits":
        case.limits = {key: int(number) for key, number in (item.split("=") for item in value.split())}
    elif name == "methods":
        case.methods = [word.removeprefix("+") for word in value.split()]
    elif name == "live":
        case.live = value
    elif name == "request":
        method, _, target = value.partition(" ")
        raw_path, _, raw_query = to_octets(target).partition(b"?")
        case.requests.append(Expected(method, raw_path, raw_query))
    elif name == "error":
        status, *case.error_words = value.split()
        case.error = int(status)
    elif name == "cut":
        case.cut = int(value)
    else:
        raise CorpusError("unknown line")


def _read_attribute(request: Expected, name: str, value: str) -> None:
    if name == "version":
        request.version = value
    elif name == "persistent":
        request.persistent = _to_bool(value)
    elif name == "continue":
        request.expects_continue = _to_bool(value)
    elif name == "upgrade":
        request.upgrade = value
    elif name == "host":
        request.host = value
    elif name == "field":
        field_name, field_value = _to_field(value)
        request.fields.setdefault(field_name, []).append(field_value)
    elif name == "absent":
        request.absent.append(value)
    elif name == "content":
        request.content = to_octets(value)
    elif name == "trailer":
        request.trailers.append(_to_field(value))
    else:
        raise CorpusError("unknown attribute")


def _to_bool(value: str) -> bool:
    return {"yes": True, "no": False}[value]


def _to_field(value: str) -> tuple[str, str]:
    name, equals, field_value = value.partition(" =")
    if not equals:
        raise CorpusError("no equals sign")
    return name, to_octets(field_value.removeprefix(" ")).decode("latin-1")
