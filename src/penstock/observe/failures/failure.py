"""An exception as its author reads it: the frames of their own code with its lines, the rest folded.

A `Part` is one exception of a chain or a group; Python's order is kept, what is told last happened last.
Where every frame is foreign none is folded. Values of variables are read for a page alone, and only for
frames of the author: they are where secrets are, so each goes through redaction (`request_secrets.py` knows
those of the request, too). For development; the log of production has the whole traceback, plain.
"""

from __future__ import annotations

import linecache
import os
import re
from pathlib import Path
from traceback import TracebackException
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.http.redaction import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from traceback import FrameSummary
    from types import FrameType

OWN: Final = ""
"""The origin of code that is the author's; others have a name."""
_PENSTOCK = "penstock"
_PYTHON = "Python"
_IMPORT = "the import"

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_LIBRARY = str(Path(os.__file__).parent) + os.sep
_IMPORTLIB = f"{_LIBRARY}importlib{os.sep}"
_INSTALLED = re.compile(r".*[/\\](?:site|dist)-packages[/\\](\w+)")
# Of a chain of exceptions or an endless recursion the last ones; what is longer says nothing more.
_PARTS_LIMIT = 20
_CALLS_LIMIT = 60

CAUSE: Final = "The exception above was the direct cause of this one:"
GROUP: Final = "They are the exceptions of this group:"
CONTEXT: Final = "While the exception above was handled, this one came up:"

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Frame(NamedTuple):
    """One call under way."""

    file: str
    shown: str
    """The file for people: below the working directory without it."""
    line: int
    function: str
    """"" for a line that does not compile."""
    origin: str
    marked: tuple[int, int] | None
    """Where in the line, in characters; None for all of it."""
    variables: tuple[tuple[str, str], ...] = ()
    """What they are called and what they hold, without secrets."""

    @property
    def source(self) -> str:
        return linecache.getline(self.file, self.line).rstrip()


class Part(NamedTuple):
    """One exception."""

    before: str
    """How it came of the one above; "" for the first."""
    frames: list[Frame]
    summary: str
    """Type and message."""
    notes: list[str]

    def shown_by(self, hide: Callable[[str], str]) -> Part:
        """Return the same with what the exception says about itself as it may be shown."""
        return self._replace(summary=hide(self.summary), notes=[hide(note) for note in self.notes])


def origin_of(file: str) -> str:
    """Return whose code a file is: OWN, or a name such as "starlette"."""
    if file.startswith((_PACKAGE, "<plan ")):
        return _PENSTOCK
    installed = _INSTALLED.match(file)
    if installed:
        return installed[1]
    if file.startswith(("<frozen importlib", _IMPORTLIB)):
        return _IMPORT
    return _PYTHON if file.startswith((_LIBRARY, "<frozen ")) else OWN


def read_parts(error: BaseException, *, variables: bool = False) -> list[Part]:
    """Return an exception with its causes, the first of all first; with the variables of the author's frames
    when they are wanted.
    """
    found = TracebackException(type(error), error, error.__traceback__, limit=-_CALLS_LIMIT, compact=True)
    return list(_walk(found, error if variables else None, ""))[-_PARTS_LIMIT:]


def _walk(error: TracebackException, of: BaseException | None, before: str) -> Iterator[Part]:
    """`of`: the exception that was read, when its variables are wanted."""
    if error.__cause__ is not None:
        yield from _walk(error.__cause__, of.__cause__ if of is not None else None, before)
        before = CAUSE
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _walk(error.__context__, of.__context__ if of is not None else None, before)
        before = CONTEXT
    members = error.exceptions or []
    noted, error.__notes__ = error.__notes__, None
    notes = [str(note) for note in noted] if isinstance(noted, list) else []
    summary = "".join(error.format_exception_only()).rstrip()
    inner = of.exceptions if isinstance(of, BaseExceptionGroup) else (None,) * len(members)
    for at, (member, one) in enumerate(zip(members, inner, strict=False), 1):
        yield from _walk(member, one, f"{at} of {len(members)} exceptions in a group:")
    frames = [_frame(each) for each in error.stack]
    if of is not None:
        frames = _with_variables(frames, of)
    faulty = _faulty_line(error)
    if faulty is not None:
        frames.append(faulty)
        summary = summary.rpartition("\n")[2]
    yield Part(GROUP if members else before, frames, summary, notes)


def _faulty_line(error: TracebackException) -> Frame | None:
    """The line a syntax error is about: no call got there, and it is all that matters."""
    file, number = getattr(error, "filename", None), getattr(error, "lineno", None)
    if not file or not number:
        return None
    linecache.checkcache(file)
    text = linecache.getline(file, int(number)).rstrip()
    if not text:
        return None
    start = max((error.offset or 1) - 1, 0)
    ends_there = error.end_lineno is not None and int(error.end_lineno) == int(number)
    end = (error.end_offset or 0) - 1 if ends_there else start + 1
    return Frame(file, _show(file), int(number), "", OWN, (start, max(end, start + 1)))


def _frame(found: FrameSummary) -> Frame:
    file, line = found.filename, found.lineno or 0
    return Frame(file, _show(file), line, found.name, origin_of(file), _marked(found))


def _with_variables(frames: list[Frame], error: BaseException) -> list[Frame]:
    """Return the frames, those of the author with what their variables hold."""
    entries = []
    entry = error.__traceback__
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    made = []
    for frame, found in zip(frames, entries[len(entries) - len(frames) :], strict=False):
        if frame.origin == OWN and found.tb_frame.f_code.co_filename == frame.file:
            made.append(frame._replace(variables=_variables_of(found.tb_frame)))
        else:
            made.append(frame)
    return made + frames[len(made) :]


def _variables_of(frame: FrameType) -> tuple[tuple[str, str], ...]:
    if frame.f_locals is frame.f_globals:  # of a module: all that it imported and defined
        return ()
    own = {name: value for name, value in frame.f_locals.items() if not name.startswith("__")}
    return tuple(redactor().locals(own).items())


def _show(file: str) -> str:
    return file.removeprefix(f"{Path.cwd()}{os.sep}")


def _marked(found: FrameSummary) -> tuple[int, int] | None:
    """Where the line failed, when that is less than the line."""
    start, end = found.colno, found.end_colno
    if start is None or end is None or found.end_lineno != found.lineno:
        return None
    octets = linecache.getline(found.filename, found.lineno or 0).rstrip().encode()
    before, part = octets[:start].decode("utf-8", "replace"), octets[start:end].decode("utf-8", "replace")
    if not part or (not before.strip() and len(octets) <= end):
        return None
    return len(before), len(before) + len(part)


def fold(frames: list[Frame]) -> list[Frame | str]:
    """Return the frames of the author, and a line in place of others that stand together. The place where it
    failed is never folded, unless it is ours; on our way to the author nothing went wrong.
    """
    if all(frame.origin for frame in frames):
        return list(frames)
    kept: list[Frame | str] = []
    folded: list[Frame] = []
    for frame in frames:
        is_last = frame is frames[-1] and frame.origin not in (_PENSTOCK, OWN)
        if frame.origin == OWN or is_last:
            if kept or any(each.origin not in (_PENSTOCK, _IMPORT) for each in folded):
                kept += _folded(folded)
            folded = []
            kept.append(frame)
        else:
            folded.append(frame)
    return kept + _folded(folded)


def _folded(frames: list[Frame]) -> list[Frame | str]:
    if not frames:
        return []
    origins = ", ".join(dict.fromkeys(frame.origin for frame in frames))
    return [f"{len(frames)} frame{'s' * (len(frames) > 1)} of {origins}"]


class Colours(NamedTuple):
    """What stands round the pieces of a text."""

    place: str = ""
    mark: str = ""
    error: str = ""
    dim: str = ""
    plain: str = ""


PLAIN = Colours()
ANSI = Colours("\x1b[36m", "\x1b[1;31m", "\x1b[1;31m", "\x1b[2m", "\x1b[0m")


def render_text(error: BaseException, colours: Colours = PLAIN) -> str:
    """Return an exception as text for a terminal; no control character of it gets there, and no secret."""
    hide = redactor().text
    return "\n".join(line for part in read_parts(error) for line in _part_lines(part.shown_by(hide), colours))


def _part_lines(part: Part, colours: Colours) -> Iterator[str]:
    if part.before:
        yield ""
        yield f"{colours.dim}{part.before}{colours.plain}"
        yield ""
    for frame in fold(part.frames):
        if isinstance(frame, str):
            yield f"  {colours.dim}… {frame}{colours.plain}"
        else:
            yield from _frame_lines(frame, colours)
    for line in part.summary.split("\n"):
        yield f"{colours.error}{escape(line)}{colours.plain}"
    for note in part.notes:
        yield from (f"  {escape(line)}" for line in note.split("\n"))


def _frame_lines(frame: Frame, colours: Colours) -> Iterator[str]:
    place = f"{frame.shown}:{frame.line}"
    within = f" in {escape(frame.function)}" if frame.function else ""
    yield f"  {colours.place}{escape(place)}{colours.plain}{within}"
    source = redactor().text(frame.source)
    if not source:
        return
    indent = len(source) - len(source.lstrip())
    yield f"      {escape(source[indent:])}"
    if frame.marked is not None and source == frame.source:
        start, end = frame.marked
        yield f"      {' ' * (start - indent)}{colours.mark}{'^' * (end - start)}{colours.plain}"


def escape(text: str) -> str:
    """Return a text in which no character does anything but be seen."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
