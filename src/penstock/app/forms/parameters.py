"""Parameters from a form: `Form()`, `File()` and `UploadFile`.

`read` is the quick way: it makes the value or raises ValueError. `faults` is the thorough one and names all
that is wrong. A field that was left empty counts as not sent, unless an empty text is a value of its type: an
HTML form cannot leave it out. The same holds for a file input that nobody used.
"""

from __future__ import annotations

import typing
from inspect import Parameter
from types import NoneType
from typing import TYPE_CHECKING, Any

from penstock.app.binding.notations import TEXT
from penstock.app.forms.text_members import FormModel, file_kind, is_empty_file, takes_empty
from penstock.app.schema.annotations import Unsupported, is_union, name_of, split
from penstock.app.schema.constraints import broken, constraints_in, make_constraints
from penstock.app.schema.markers import File, Form
from penstock.app.schema.reading import is_model
from penstock.http.upload import UploadFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.app.binding.signature import Argument
    from penstock.app.schema.constraints import Constraint
    from penstock.app.schema.markers import Field
    from penstock.app.schema.report import Fault
    from penstock.http.form import FormData

MISSING: Any = Parameter.empty
"""As a default: the parameter is required."""


class FormParameter:
    """One parameter, and how it is made from a form."""

    takes_file = False
    """True when the form has to be received with its files."""
    is_upload = False
    """True when a file is passed open."""
    conversion: Any = None
    """From text, where it is made of one."""
    default: Any = MISSING

    def read(self, form: FormData) -> Any:
        """Return the value, or raise ValueError."""
        raise NotImplementedError

    def faults(self, form: FormData) -> list[Fault]:
        """Return what is wrong; `[]` exactly when `read` makes a value."""
        raise NotImplementedError

    def _absent(self) -> Any:
        default = self.default
        if default is MISSING:
            raise ValueError("missing")
        # One request must not find what another put into a default.
        return default.copy() if type(default) in (list, dict, set) else default


class TextParameter(FormParameter):
    """A value made of the text of a field, or a list of them."""

    def __init__(self, key: str, annotation: object, default: Any) -> None:
        self.key, self.default = key, default
        self.conversion = conversion = TEXT.conversion(annotation)
        self._convert, self._repeats = conversion.convert, conversion.item is not None
        self._takes_empty = takes_empty(conversion)
        if default is MISSING and self._repeats:
            if not any(one.name == "min_length" for one in conversion.constraints):
                self.default = []  # no occurrence at all is how a form spells the empty list
        elif default is MISSING and conversion.is_optional:
            self.default = None

    def _values(self, form: FormData) -> list[str]:
        values = form.get_all(self.key)
        return values if self._takes_empty else [one for one in values if one]

    def read(self, form: FormData) -> Any:
        if self._repeats:
            values = self._values(form)
            return self._convert(values) if values else self._absent_unless_file(form)
        text = form.get(self.key)
        if text is None or (not text and not self._takes_empty):
            return self._absent_unless_file(form)
        return self._convert(text)

    def _absent_unless_file(self, form: FormData) -> Any:
        if self.key in form.files:
            raise ValueError("file")
        return self._absent()

    def faults(self, form: FormData) -> list[Fault]:
        loc: list[str | int] = ["form", self.key]
        values = self._values(form)
        if values:
            found: list[Fault] = self.conversion.faults(values if self._repeats else values[0], loc)
            return found
        if self.key in form.files:
            return [{"loc": loc, "msg": "expected a text, and got a file", "type": "text"}]
        return _missing(self.key) if self.default is MISSING else []


class FileParameter(FormParameter):
    """A file, or a list of them; as it is, or its content as octets or text."""

    takes_file = True

    def __init__(self, key: str, annotation: object, default: Any) -> None:
        self.key, self.default = key, default
        kind, metadata = split(annotation)
        self.constraints: list[Constraint] = []
        if is_union(kind):
            members = [one for one in typing.get_args(kind) if one is not NoneType]
            if len(members) == 1 and len(typing.get_args(kind)) == 2:
                kind = split(members[0])[0]
                self.default = None if default is MISSING else default
        arguments = typing.get_args(kind)
        self.repeats = typing.get_origin(kind) is list and len(arguments) == 1
        wanted = split(arguments[0])[0] if self.repeats else kind
        if wanted not in _MADE:
            raise Unsupported(
                f"{name_of(annotation)} cannot be a file; UploadFile, bytes, str or a list of one can"
            )
        self._make: Callable[[UploadFile], Any] = _MADE[wanted]
        self.is_upload = wanted is UploadFile
        bounds = constraints_in(metadata)
        if bounds and (self.is_upload and not self.repeats):
            raise Unsupported(f"{next(iter(bounds))}= does not fit UploadFile; see FormLimits.file_bytes")
        if bounds:
            name = "list" if self.repeats else wanted.__name__
            self.constraints = make_constraints(bounds, name)
        if self.repeats and self.default is MISSING and "min_length" not in bounds:
            self.default = []

    def _files(self, form: FormData) -> list[UploadFile]:
        return [one for one in form.files.get(self.key, ()) if not is_empty_file(one)]

    def read(self, form: FormData) -> Any:
        files = self._files(form)
        if not files:
            if form.get(self.key):
                raise ValueError("text")
            return self._absent()
        made = [self._make(file) for file in files] if self.repeats else self._make(files[0])
        if broken(self.constraints, made):
            raise ValueError("constraint")
        return made

    def faults(self, form: FormData) -> list[Fault]:
        loc = ["form", self.key]
        files = self._files(form)
        if not files:
            if form.get(self.key):
                return [{"loc": loc, "msg": "expected a file, and got a text", "type": "file"}]
            return _missing(self.key) if self.default is MISSING else []
        try:
            made = [self._make(file) for file in files] if self.repeats else self._make(files[0])
        except UnicodeDecodeError:
            return [{"loc": loc, "msg": "expected a text in UTF-8", "type": "str"}]
        return [
            {"loc": loc, "msg": f"expected {one.expected}", "type": one.name}
            for one in broken(self.constraints, made)
        ]


class ModelParameter(FormParameter):
    """A model of several fields, files among them."""

    def __init__(self, annotation: object, field: Field | None) -> None:
        self.model = FormModel(annotation, field.unknown if isinstance(field, Form) else None)
        self.takes_file = self.is_upload = self.model.has_files

    def read(self, form: FormData) -> Any:
        return self.model.read(form)

    def faults(self, form: FormData) -> list[Fault]:
        return self.model.faults(form)


def form_parameter(key: str, annotation: object, field: Field | None, default: Any) -> FormParameter:
    """Return how a parameter is made from a form; Unsupported says why it cannot be."""
    if isinstance(field, File) or file_kind(annotation) is not None:
        return FileParameter(key, annotation, default)
    if is_model(split(annotation)[0]):
        if default is not MISSING:
            raise Unsupported("a model of a form has no default; its fields have")
        return ModelParameter(annotation, field)
    return TextParameter(key, annotation, default)


def _missing(key: str) -> list[Fault]:
    return [{"loc": ["form", key], "msg": "required, and missing", "type": "missing"}]


def _octets(file: UploadFile) -> bytes:
    file.file.seek(0)
    return file.file.read()


def _text(file: UploadFile) -> str:
    return _octets(file).decode()


_MADE: dict[Any, Callable[[UploadFile], Any]] = {UploadFile: lambda file: file, bytes: _octets, str: _text}


def takes_form(arguments: Iterable[Argument]) -> bool:
    """Tell whether functions with these arguments may read a form."""
    return any(one.source in ("form", "file", "parts", "request") for one in arguments)
