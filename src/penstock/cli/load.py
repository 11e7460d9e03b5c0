"""Finds the application named on the command line: `module:attribute`, both dotted if need be.

The working directory is put first on the import path, whichever way the command was started. What is found
there comes back as a Handler, an ASGI or WSGI application through the gateway. Whatever goes wrong is one
line: a module that is not there, an attribute that is not there, an object that is no application, or an
import that raised, with the last line of the user's own code on the way there.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from penstock.errors import ApplicationError, ConfigError
from penstock.gateway.interface import ASGI, AUTO, NATIVE, find_interface
from penstock.observe.failures.failure import OWN, origin_of
from penstock.server.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType, TracebackType

    from penstock.http.handler import Handler

_LIBRARY = str(Path(os.__file__).parent)
_MACHINERY = ("<frozen importlib", str(Path(_LIBRARY, "importlib")), __file__)


def load_application(path: str, interface: str = AUTO) -> Handler:
    """The application at `path`; ConfigError or ApplicationError says in one line why there is none."""
    module_name, _, attribute = path.partition(":")
    _check_form(path, module_name, attribute)
    _put_working_directory_first()
    module = _import(module_name)
    found = _walk(module, attribute)
    return _adapt(path, found, interface)


def _adapt(path: str, found: Any, interface: str) -> Handler:
    """`found` as a Handler, by the interface it is said to have, or looks like."""
    if interface == AUTO:
        kind = find_interface(found)
        if kind is None:
            raise ConfigError(_describe_stranger(path, found))
        interface = kind
    elif not (is_application(found) if interface == NATIVE else callable(found)):
        raise ConfigError(f"{path!r} is no {interface} application (--interface {interface})")
    if interface == NATIVE:
        return cast("Handler", found)
    if interface == ASGI:
        from penstock.gateway.asgi import ASGIHandler

        return ASGIHandler(found)
    from penstock.gateway.wsgi import WSGIHandler

    return WSGIHandler(found)


def is_application(value: object) -> bool:
    """True for a native application: an object, not a class, with the functions of `Handler`."""
    return find_interface(value) == NATIVE


def _check_form(path: str, module_name: str, attribute: str) -> None:
    is_dotted = all((*module_name.split("."), *attribute.split(".")))
    if is_dotted and "/" not in module_name and not module_name.endswith(".py"):
        return
    name = module_name.removesuffix(".py").strip("./").replace("/", ".") or "module"
    raise ConfigError(
        f"{path!r} does not name an application; expected module:app, such as {name}:{attribute or 'app'}"
    )


def _put_working_directory_first() -> None:
    here = str(Path.cwd())
    if sys.path[0] not in ("", here):
        sys.path.insert(0, here)


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        is_absent = isinstance(error, ModuleNotFoundError) and not list(_walk_files(error.__traceback__))
        if is_absent:
            raise ConfigError(_describe_absent(name, cast("ModuleNotFoundError", error))) from None
        raise ApplicationError(f"cannot import {name!r}: {_describe_raised(error)}") from error


def _walk(module: ModuleType, attribute: str) -> object:
    found: object = module
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ConfigError(_describe_missing(module, found, name)) from None
    return found


def _walk_files(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    """File and line of each frame below `_import`, without those of the import machinery."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(_MACHINERY):
            yield file, traceback.tb_lineno
        traceback = traceback.tb_next


def _describe_raised(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_show(error.filename)}:{error.lineno}: {kind}: {error.msg}"
    frames = list(_walk_files(error.__traceback__))
    own = [frame for frame in frames if origin_of(frame[0]) == OWN]
    text = f"{kind}: {error}" if str(error) else kind
    if not frames:
        return text
    file, line = (own or frames)[-1]
    return f"{_show(file)}:{line}: {text}"


def _describe_absent(name: str, error: ModuleNotFoundError) -> str:
    here = Path.cwd()
    absent = error.name or name
    package = absent.rpartition(".")[0]
    prefix = f"{package}." if package else ""
    folders = getattr(sys.modules.get(package), "__path__", ()) if package else [here]
    known = [prefix + module for folder in folders for module in _list_modules(Path(folder))]
    near = did_you_mean(absent, known, prefix)
    return f"no module named {absent!r} in {here} or among the installed packages{near}"


def _list_modules(folder: Path) -> Iterable[str]:
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.suffix == ".py":
            yield entry.stem
        elif entry.name.isidentifier() and entry.is_dir():
            yield entry.name


def _describe_missing(module: ModuleType, owner: object, name: str) -> str:
    if owner is not module:
        near = did_you_mean(name, dir(owner))
        return f"{_name_type(owner)} in {module.__name__!r} has no attribute {name!r}{near}"
    place = _show(getattr(module, "__file__", None) or "a folder without __init__.py")
    applications = [key for key, value in vars(module).items() if is_application(value)]
    near = f"; did you mean {applications[0]!r}?" if applications else did_you_mean(name, dir(module))
    return f"module {module.__name__!r} ({place}) has no attribute {name!r}{near}"


def _describe_stranger(path: str, found: object) -> str:
    what = f"the class {found.__name__}" if isinstance(found, type) else _name_type(found)
    expected = "an instance of penstock.App, or an ASGI or WSGI application"
    if isinstance(found, FunctionType):
        expected += "; if it makes one, write app = ... in the module, and name that"
    return f"{path!r} is {what}, not an application; name {expected}"


def _name_type(value: object) -> str:
    return f"an object of type {type(value).__name__}"


def _show(file: str) -> str:
    return file.removeprefix(f"{Path.cwd()}{os.sep}")
