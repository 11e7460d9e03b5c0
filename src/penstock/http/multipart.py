"""multipart/form-data (RFC 7578) as events: the head of a part, its octets, its end. No I/O.

The octets are taken apart by the `multipart` package; what a part is called, and how much there may be of
everything, is decided here. Accepted are `form-data` parts with one `name`, and `filename` as browsers write
it. `filename*`, which RFC 7578 §4.2 forbids, counts only where it stands alone and is plain UTF-8. Anything
else is 400, whichever way the octets were split. What stands before the first boundary is passed over, as
RFC 2046 §5.1.1 has it, and so is what stands behind the last.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from penstock.errors import HTTPError, MissingExtra
from penstock.http.file_name import safe_file_name
from penstock.http.form import check_charset, too_much

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.http.form import FormLimits

PREAMBLE_BYTES: Final = 4_096  # nobody sends one; RFC 2046 allows any
# RFC 2046 §5.1.1: 1 to 70 bchars, the last no space
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110 §5.6.2 token
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*(?:({_NAME})=(?:({_NAME})|"((?:[^"\\]|\\.)*)"))?', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_EXTENDED = re.compile(
    r"utf-8'[A-Za-z0-9-]{0,20}'((?:%[0-9A-Fa-f]{2}|[!#$&+.^_`|~0-9A-Za-z-])*)", re.IGNORECASE
)


class PartHead(NamedTuple):
    """What stands before the content of a part."""

    name: str
    filename: str | None
    """Made safe (`http/file_name.py`); None for a field."""
    raw_filename: str | None
    """As the client wrote it."""
    content_type: str
    """As the client wrote it; "" when it did not."""
    is_file: bool


def malformed(reason: str) -> HTTPError:
    """Return the refusal of a form that breaks the grammar."""
    return HTTPError(400, f"the form is malformed: {reason}")


def load_parser() -> Any:
    """Return the module that parses; MissingExtra when it is not installed."""
    try:
        import multipart
    except ImportError:
        multipart = None
    # What came before 2 decides by how the octets were split, and python-multipart had this name once.
    if int(getattr(multipart, "__version__", "0").partition(".")[0]) < 2:
        raise MissingExtra("forms with files need an extra: pip install 'penstock[standard]'")
    return multipart


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return the first word of a field value in lower case, and its parameters by name in lower case.
    ValueError when it breaks the grammar or says something twice.

    >>> parse_parameters('form-data; name="a %22b%22"')
    ('form-data', {'name': 'a "b"'})
    """
    word, _, _ = value.partition(";")
    found: dict[str, str] = {}
    at = len(word)
    while at < len(value):
        match = _PARAMETER.match(value, at)
        if match is None:
            if not value[at:].strip(" \t"):
                break
            raise ValueError("its parameters cannot be read")
        at = match.end()
        if match[1] is not None:
            name = match[1].lower()
            if name in found:
                raise ValueError(f"{name} stands twice")
            found[name] = match[2] if match[2] is not None else _unquoted(match[3])
    return word.strip(" \t").lower(), found


def _unquoted(text: str) -> str:
    # Browsers write %22, %0D and %0A and leave a backslash alone (WHATWG HTML §4.10.21.8); older clients
    # write \" and double the backslash, so an escaped quote tells which of the two it was.
    if '\\"' in text:
        return text.replace('\\"', '"').replace("\\\\", "\\")
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def boundary_of(content_type: str) -> str:
    """Return the boundary a Content-Type names; HTTPError 400 when it names none, 415 for a charset."""
    try:
        _, parameters = parse_parameters(content_type)
    except ValueError as error:
        raise HTTPError(400, f"the Content-Type is malformed: {error}") from None
    check_charset(parameters)
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise HTTPError(400, "the Content-Type names no valid boundary (RFC 2046 §5.1.1)")
    return boundary


class MultipartReader:
    """Octets in, events out: a `PartHead`, pieces of its content, None at its end."""

    def __init__(self, content_type: str, limits: FormLimits) -> None:
        boundary = boundary_of(content_type)
        module = load_parser()
        self._error: type[Exception] = module.MultipartError
        self._limit_reached: type[Exception] = module.ParserLimitReached
        self._limits = limits
        self._parser = module.PushMultipartParser(
            boundary, max_header_size=limits.header_bytes, max_header_count=limits.headers
        )
        self._first = b"--" + boundary.encode()
        self._before: bytes | None = b"\r\n"
        """What came before the first boundary, behind the end of a line; None once it was found."""
        self._fields = self._files = self._fields_size = 0
        self._part: PartHead | None = None
        self._size = 0  # of the part under way
        self._room = 0  # what it may still grow to

    def feed(self, data: bytes) -> Iterator[PartHead | bytes | None]:
        """Yield what the octets say; to be used up before the next call. HTTPError 400 or 413."""
        if self._before is not None:
            data = self._skip_preamble(data)
        if not data:
            return
        try:
            for event in self._parser.parse(data):
                if event is None:
                    if self._part is not None and not self._part.is_file:
                        self._fields_size += self._size
                    yield None
                elif isinstance(event, (bytes, bytearray)):
                    self._size += len(event)
                    if self._size > self._room:
                        raise self._too_long()
                    yield bytes(event)
                else:
                    yield self._begin(event.headerlist)
        except self._error as error:
            raise self._refusal(error) from None

    def end(self) -> None:
        """The content is over: HTTPError 400 unless the last boundary was there."""
        try:
            self._parser.close()
        except self._error:
            raise malformed("it ends before its last boundary") from None

    def _skip_preamble(self, data: bytes) -> bytes:
        before = self._before
        assert before is not None  # noqa: S101 - the caller looked
        before += data
        at = before.find(self._first)
        if at > PREAMBLE_BYTES or (at < 0 and len(before) > PREAMBLE_BYTES + len(self._first)):
            raise malformed(f"no boundary in its first {PREAMBLE_BYTES} octets")
        if at < 0:
            self._before = before
            return b""
        if before[at - 2 : at] != b"\r\n":
            raise malformed("its first boundary does not begin a line")
        self._before = None
        return before[at:]

    def _begin(self, lines: list[tuple[str, str]]) -> PartHead:
        head = self._part = _part_head(lines)
        limits, self._size = self._limits, 0
        if head.is_file:
            self._files += 1
            if self._files > limits.files:
                raise too_much("files", f"a form of more than {limits.files} files")
            self._room = limits.file_bytes if limits.file_bytes is not None else 2**63
            return head
        self._fields += 1
        if self._fields > limits.fields:
            raise too_much("fields", f"a form of more than {limits.fields} fields")
        self._room = min(limits.field_bytes, limits.fields_bytes - self._fields_size)
        return head

    def _too_long(self) -> HTTPError:
        limits = self._limits
        if self._part is not None and self._part.is_file:
            return too_much("file_bytes", f"a file of more than {limits.file_bytes} octets")
        if self._size > limits.field_bytes:
            return too_much("field_bytes", f"a field of more than {limits.field_bytes} octets")
        return too_much("fields_bytes", f"fields of more than {limits.fields_bytes} octets together")

    def _refusal(self, error: Exception) -> HTTPError:
        if not isinstance(error, self._limit_reached):
            return malformed(str(error.args[0]) if error.args else "it cannot be read")
        if "count" in str(error):
            return too_much("headers", f"a part with more than {self._limits.headers} header fields")
        return too_much("header_bytes", f"a header field of more than {self._limits.header_bytes} octets")


def _part_head(lines: list[tuple[str, str]]) -> PartHead:
    fields: dict[str, str] = {}
    for line_name, value in lines:
        if _CONTROL.search(value):
            raise malformed(f"a control character in the {line_name[:40]} of a part")
        if line_name.lower() in fields:
            raise malformed(f"a part with two fields {line_name[:40]}")
        fields[line_name.lower()] = value
    try:
        kind, parameters = parse_parameters(fields.get("content-disposition", ""))
    except ValueError as error:
        raise malformed(f"the Content-Disposition of a part: {error}") from None
    name = parameters.get("name")
    if kind != "form-data" or name is None:
        raise malformed("a part that is not form-data, or has no name (RFC 7578 §4.2)")
    if fields.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        raise malformed("a part with a Content-Transfer-Encoding (RFC 7578 §4.7)")
    raw = parameters.get("filename")
    if raw is None and "filename*" in parameters:
        raw = _extended(parameters["filename*"])
    content_type = fields.get("content-type", "").strip(" \t")
    if raw is None and content_type:
        try:
            check_charset(parse_parameters(content_type)[1])
        except ValueError as error:
            raise malformed(f"the Content-Type of a part: {error}") from None
    return PartHead(name, None if raw is None else safe_file_name(raw), raw, content_type, raw is not None)


def _extended(text: str) -> str:
    """Decode RFC 8187, of which only UTF-8 is taken."""
    match = _EXTENDED.fullmatch(text)
    try:
        if match is not None:
            return unquote_to_bytes(match[1]).decode()
    except UnicodeDecodeError:
        pass
    raise malformed("filename* of a part is no UTF-8 (RFC 8187)")
