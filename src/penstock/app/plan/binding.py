"""The binding part of a plan: from the parts of a request to `arg_<name>` for each parameter.

A plan binds the parameters of several functions: the handler's, and those of what it depends on, whose names
carry the number of the dependency (`arg1_page`, `convert1_page`). What they share, the query and the members
of one body, is read once, by the first that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.app.binding.faults import binding_error
from penstock.app.binding.query import first_values
from penstock.app.binding.signature import REQUIRED, Argument, Signature
from penstock.app.plan.code import indented

if TYPE_CHECKING:
    from collections.abc import Sequence


class Binding:
    """Writes the lines that bind the parameters of one plan; what they use goes into `scope`."""

    def __init__(self, signatures: Sequence[Signature], scope: dict[str, Any]) -> None:
        self._scope = scope
        arguments = tuple(one for signature in signatures for one in signature.arguments)
        # A function that sees the request may ask for its query again; then the whole Query is worth making.
        self._needs_query = any(
            one.source == "request" or (one.source == "query" and one.repeats) for one in arguments
        )
        asking = [one for one in signatures if one.first("query") is not None]
        self._shares_query = len(asking) > 1
        self._shares_members = len([one for one in signatures if any(map(_is_embedded, one.arguments))]) > 1
        self._members_optional = all(one.default is not REQUIRED for one in arguments if _is_embedded(one))
        self._has_query = self._has_members = False
        scope |= {"arguments": arguments, "binding_error": binding_error, "first_values": first_values}

    @property
    def shared_names(self) -> list[str]:
        """What one function's lines assign and another's use."""
        names = ["get_query", *(["query"] if self._needs_query else [])] if self._shares_query else []
        return [*names, "members"] if self._shares_members else names

    def lines(self, signature: Signature, tag: str = "") -> list[str]:
        """Assign `arg<tag>_<name>` for every argument that is bound from the request."""
        by_source = {
            source: [one for one in signature.arguments if one.source == source]
            for source in ("path", "query", "header", "cookie", "body", "form", "file", "parts")
        }
        lines = []
        if by_source["path"]:
            lines.append("params = request.path_params")
        lines += [
            f"arg{tag}_{one.name} = {self._converted(one, f'params[{one.key!r}]', tag)}"
            for one in by_source["path"]
        ]
        lines += self._query_lines(by_source["query"], tag)
        lines += self._look_up_lines("request.headers", by_source["header"], tag)
        lines += self._look_up_lines("request.cookies", by_source["cookie"], tag)
        lines += self._body_lines(by_source["body"], tag)
        lines += self._form_lines([*by_source["form"], *by_source["file"]], tag)
        lines += [f"arg{tag}_{one.name} = open_parts(request)" for one in by_source["parts"]]
        if not any(one.conversion or one.model or one.form for one in signature.arguments):
            return lines  # nothing can fail
        return [
            "try:",
            *indented(lines, 1),
            "except ValueError:",
            "    raise binding_error(arguments, request) from None",
        ]

    def _body_lines(self, arguments: list[Argument], tag: str) -> list[str]:
        if any(map(_is_embedded, arguments)):
            return self._member_lines(arguments, tag)
        lines = []
        for argument in arguments:
            assert argument.model is not None  # noqa: S101 - for the type checker
            self._scope[f"read{tag}_{argument.name}"] = argument.model.read
            read = f"read{tag}_{argument.name}(request)"
            if argument.default is not REQUIRED:
                read += f" if request.body else {self._default(argument, tag)}"
            lines.append(f"arg{tag}_{argument.name} = {read}")
        return lines

    def _member_lines(self, arguments: list[Argument], tag: str) -> list[str]:
        """Assign the arguments that are members of one object."""
        lines = []
        if not self._has_members:
            self._has_members = True
            assert arguments[0].model is not None  # noqa: S101 - for the type checker
            self._scope["read_members"] = arguments[0].model.read
            lines = ["members = read_members(request)" + " if request.body else {}" * self._members_optional]
        for argument in arguments:
            value = f"members[{argument.key!r}]"
            if argument.default is not REQUIRED:
                value += f" if {argument.key!r} in members else {self._default(argument, tag)}"
            lines.append(f"arg{tag}_{argument.name} = {value}")
        return lines

    def _form_lines(self, arguments: list[Argument], tag: str) -> list[str]:
        lines = ["form = request.form()"] if arguments else []
        for argument in arguments:
            assert argument.form is not None  # noqa: S101 - for the type checker
            self._scope[f"read{tag}_{argument.name}"] = argument.form.read
            lines.append(f"arg{tag}_{argument.name} = read{tag}_{argument.name}(form)")
        return lines

    def _query_lines(self, arguments: list[Argument], tag: str) -> list[str]:
        if not arguments:
            return []
        get = "get_query" if self._shares_query else "get"
        look_up = [f"{get} = first_values(request)"]
        if self._needs_query:
            look_up = ["query = request.query", f"{get} = query.get"]
        shared: list[str] = []
        if self._shares_query:
            shared, look_up = [] if self._has_query else look_up, []
            self._has_query = True
        lines = look_up
        for argument in arguments:
            lines += self._value_lines(argument, "query", tag, get)
        if any(argument.default is REQUIRED for argument in arguments):
            return shared + lines
        without = [f"arg{tag}_{one.name} = {self._default(one, tag)}" for one in arguments]
        return [*shared, "if request.raw_query:", *indented(lines, 1), "else:", *indented(without, 1)]

    def _look_up_lines(self, place: str, arguments: list[Argument], tag: str) -> list[str]:
        if not arguments:
            return []
        lines = [f"place = {place}", "get = place.get"]
        for argument in arguments:
            lines += self._value_lines(argument, "place", tag)
        return lines

    def _value_lines(self, argument: Argument, place: str, tag: str, get: str = "get") -> list[str]:
        """Assign one argument from the look-up `get`, or from all the values `place` has of it."""
        name, default = f"arg{tag}_{argument.name}", argument.default
        if argument.repeats:
            lines = [f"values = {place}.get_all({argument.key!r})"]
            test, value = "not values", self._converted(argument, "values", tag)
        else:
            lines = [f"text = {get}({argument.key!r})"]
            test, value = "text is None", self._converted(argument, "text", tag)
        if default is REQUIRED:
            return [*lines, f"if {test}:", "    raise ValueError", f"{name} = {value}"]
        return [*lines, f"{name} = {self._default(argument, tag)} if {test} else {value}"]

    def _converted(self, argument: Argument, text: str, tag: str) -> str:
        conversion = argument.conversion
        if conversion is None or conversion.keeps:
            return text
        self._scope[f"convert{tag}_{argument.name}"] = conversion.convert
        return f"convert{tag}_{argument.name}({text})"

    def _default(self, argument: Argument, tag: str) -> str:
        self._scope[f"default{tag}_{argument.name}"] = argument.default
        # One request must not find what another put into a default.
        copied = ".copy()" if type(argument.default) in (list, dict, set) else ""
        return f"default{tag}_{argument.name}{copied}"


def _is_embedded(argument: Argument) -> bool:
    return argument.source == "body" and argument.is_embedded
