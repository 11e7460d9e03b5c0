"""Which interface an application speaks is told by looking at it."""

from __future__ import annotations

from functools import partial

import pytest

from penstock import App
from penstock.gateway.interface import ASGI, NATIVE, WSGI, find_interface


async def asgi(scope, receive, send): ...


def wrapped_asgi(scope, receive, send):
    return asgi(scope, receive, send)


async def configured_asgi(option, scope, receive, send): ...


def wsgi(environ, start_response): ...


def configured_wsgi(option, environ, start_response): ...


async def handler(request): ...


def anything(*arguments): ...


class AsgiClass:
    async def __call__(self, scope, receive, send): ...


class WsgiClass:
    def __call__(self, environ, start_response): ...

    async def helper(self, scope, receive, send): ...


@pytest.mark.parametrize(
    ("value", "interface"),
    [
        (App(), NATIVE),
        (asgi, ASGI),
        (wrapped_asgi, ASGI),
        (partial(configured_asgi, 1), ASGI),
        (AsgiClass(), ASGI),
        (AsgiClass().__call__, ASGI),
        (partial(AsgiClass()), ASGI),
        (wsgi, WSGI),
        (partial(configured_wsgi, 1), WSGI),
        (WsgiClass(), WSGI),
        (WsgiClass().__call__, WSGI),
        (handler, None),
        (anything, None),
        (AsgiClass, None),
        (App, None),
        ("text", None),
        (None, None),
    ],
)
def test_interface_is_told_by_looks(value, interface):
    assert find_interface(value) == interface
