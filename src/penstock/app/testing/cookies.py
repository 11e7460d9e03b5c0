"""The cookies a client keeps: the jar of the standard library, which knows paths, domains and expiry."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from email.message import Message
from http.cookiejar import Cookie, CookieJar
from typing import TYPE_CHECKING, Any
from urllib.request import Request

if TYPE_CHECKING:
    from penstock.http.headers import Headers


class _Fields:
    """A response, as far as the jar asks."""

    def __init__(self, headers: Headers) -> None:
        self._message = Message()
        for value in headers.get_all("set-cookie"):
            self._message["Set-Cookie"] = value

    def info(self) -> Message:
        return self._message


class Cookies(MutableMapping[str, str]):
    """Cookies by name. Those a test sets are sent everywhere; those of a reply where it says."""

    def __init__(self) -> None:
        self._jar = CookieJar()
        self._own: dict[str, str] = {}

    def keep(self, url: str, headers: Headers) -> None:
        """Keep what a reply sets."""
        answer: Any = _Fields(headers)
        for name in set_by(headers):
            self._own.pop(name, None)
        self._jar.extract_cookies(answer, Request(url))  # noqa: S310 - never opened

    def header(self, url: str, more: dict[str, str]) -> str:
        """Return the Cookie field for a request, "" for none; `more` are of this request alone."""
        request = Request(url)  # noqa: S310 - never opened
        self._jar.add_cookie_header(request)
        sent = request.get_header("Cookie") or ""
        own = {**self._own, **more}
        parts = [part for part in sent.split("; ") if part and part.partition("=")[0] not in own]
        return "; ".join([*parts, *(f"{name}={value}" for name, value in own.items())])

    def __getitem__(self, name: str) -> str:
        if name in self._own:
            return self._own[name]
        for cookie in self._kept():
            if cookie.name == name:
                return cookie.value or ""
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        self._own[name] = value

    def __delitem__(self, name: str) -> None:
        self[name]
        self._own.pop(name, None)
        for cookie in self._kept():
            if cookie.name == name:
                self._jar.clear(cookie.domain, cookie.path, cookie.name)

    def _kept(self) -> list[Cookie]:
        return [cookie for cookie in self._jar if not cookie.is_expired()]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._own, *(cookie.name for cookie in self._kept())]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<Cookies {', '.join(self)}>"  # values are secrets


def set_by(headers: Headers) -> dict[str, str]:
    """Return what a reply sets, by name."""
    found = {}
    for value in headers.get_all("set-cookie"):
        name, _, rest = value.partition(";")[0].partition("=")
        found[name.strip()] = rest.strip()
    return found
