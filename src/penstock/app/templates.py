"""Pages from Jinja2 templates: `templates.render("page.html", request=request, user=user)`.

What goes into a page is escaped, unless the template's name ends in `.txt`. Templates know `url_for`, and
where they are given the `request` also `csrf_token()` and `csrf_field()`. One object serves all threads. In
development a changed template is read again; else templates are read once.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import ApplicationError, MissingExtra
from penstock.http.response import HTML, TEXT, HTMLResponse, StreamResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from penstock.app.application import App
    from penstock.http.request import Request
    from penstock.http.response import Fields

    Folder = str | os.PathLike[str]

_PLAIN = (".txt",)
_BUFFERED = 20  # pieces of a template sent at once; one is a few words


class Templates:
    """The templates in a folder, or in several of which the first that has a name counts.

    `app`: the one `url_for` asks. `auto_reload`: look for changes at each use; None does in development.
    `strict`: a name that is not there is an error, in place of nothing. `globals`: what every template knows.
    `environment` is Jinja2's own, for filters, tests and extensions.
    """

    def __init__(
        self,
        folder: Folder | Iterable[Folder],
        *,
        app: App | None = None,
        auto_reload: bool | None = None,
        strict: bool = False,
        globals: Mapping[str, object] | None = None,
    ) -> None:
        try:
            import jinja2
        except ImportError:
            raise MissingExtra("Templates need an extra: pip install 'penstock[templates]'") from None
        folders = [folder] if isinstance(folder, (str, os.PathLike)) else list(folder)
        for one in folders:
            if not Path(one).is_dir():
                raise ApplicationError(f"templates: {os.fspath(one)!r} is no directory")
        self._app = app
        self._folders = [str(Path(one).absolute()) for one in folders]
        self._follows_server = auto_reload is None
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self._folders),
            autoescape=_is_escaped,  # noqa: S701 - it is on for all but text
            auto_reload=bool(auto_reload),
            undefined=jinja2.StrictUndefined if strict else jinja2.Undefined,
        )
        self.environment.globals |= {
            "url_for": jinja2.pass_context(partial(self._url_for)),  # a method takes no mark
            "csrf_token": jinja2.pass_context(_csrf_token),
            "csrf_field": jinja2.pass_context(_csrf_field),
            **(globals or {}),
        }

    def render(
        self,
        name: str,
        /,
        *,
        status: int = 200,
        headers: Fields | None = None,
        media_type: str | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """Return the page of a template with this context."""
        text = self.render_text(name, **context)
        return HTMLResponse(text, status, headers, media_type or _media_type_of(name))

    def render_text(self, name: str, /, **context: Any) -> str:
        """Return the text of a template with this context, for mails and the like."""
        template = self._find(name, context)
        try:
            text: str = template.render(context)
        except Exception as error:
            self._note_line(error)
            raise
        return text

    def stream(
        self,
        name: str,
        /,
        *,
        status: int = 200,
        headers: Fields | None = None,
        media_type: str | None = None,
        **context: Any,
    ) -> StreamResponse:
        """Return the page as a stream: the beginning leaves while the rest is made, in threads. What fails
        then cuts it short.
        """
        pieces = self._find(name, context).stream(context)
        pieces.enable_buffering(_BUFFERED)
        return StreamResponse(self._noting(pieces), status, headers, media_type or _media_type_of(name))

    def _find(self, name: str, context: Mapping[str, Any]) -> Any:
        import jinja2

        if self._follows_server and (request := context.get("request")) is not None:
            server = request.server
            self.environment.auto_reload = server is not None and server.in_development
            self._follows_server = False
        try:
            return self.environment.get_template(name)
        except jinja2.TemplateNotFound as error:
            if error.name == name:
                error.message = f"template {name!r} is not in {', '.join(self._folders)}"
            raise
        except jinja2.TemplateSyntaxError as error:
            error.add_note(f"in the template {error.name}, line {error.lineno}")
            raise

    def _noting(self, pieces: Iterator[str]) -> Iterator[str]:
        try:
            yield from pieces
        except Exception as error:
            self._note_line(error)
            raise

    def _note_line(self, error: Exception) -> None:
        """Tell the line of the template a rendering failed in: the last frame of one."""
        places = [
            (file, line)
            for file, line in _walk(error.__traceback__)
            if any(file.startswith(folder + os.sep) for folder in self._folders)
        ]
        if places:
            file, line = places[-1]
            error.add_note(f"in the template {file}, line {line}")

    def _url_for(self, context: Any, name: str, /, **params: object) -> str:
        if self._app is None:
            raise ApplicationError("url_for in a template needs Templates(..., app=app)")
        request: Request | None = context.get("request")
        return ("" if request is None else request.prefix) + self._app.url_for(name, **params)


def _is_escaped(name: str | None) -> bool:
    return name is None or not name.endswith(_PLAIN)


def _media_type_of(name: str) -> str:
    return HTML if _is_escaped(name) else TEXT


def _walk(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def _csrf_token(context: Any) -> str:
    from penstock.app.security.csrf import csrf_token

    request: Request | None = context.get("request")
    if request is None:
        raise ApplicationError("csrf_token in a template needs its request: render(name, request=request)")
    return csrf_token(request)


def _csrf_field(context: Any) -> Any:
    """Return the hidden field of a form."""
    from markupsafe import Markup

    token = _csrf_token(context)
    name = context["request"].csrf.owner.field
    return Markup('<input type="hidden" name="{}" value="{}">').format(name, token)
