"""What a client of an App is made with, the same for plain functions and for coroutines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.app.testing.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.app.application import App
    from penstock.app.testing.cookies import Cookies
    from penstock.http.headers import HeaderSource, MutableHeaders


class Configured:
    """An App, and the settings and the state that go with every request to it."""

    def __init__(
        self,
        app: App,
        base_url: str = "http://testserver",
        *,
        headers: HeaderSource | None = None,
        cookies: Mapping[str, str] | None = None,
        raise_server_exceptions: bool = True,
        follow_redirects: bool = True,
        timeout: float | None = 30.0,
        check_schema: bool = False,
    ) -> None:
        self._session = Session(
            app,
            base_url,
            headers,
            cookies,
            raise_server_exceptions=raise_server_exceptions,
            follow_redirects=follow_redirects,
            timeout=timeout,
            check_schema=check_schema,
        )
        self.app = app

    @property
    def headers(self) -> MutableHeaders:
        """Fields that go with every request."""
        return self._session.headers

    @property
    def cookies(self) -> Cookies:
        """The cookies it keeps, by name."""
        return self._session.cookies
