from __future__ import annotations

import asyncio
import errno
import http.client
import socket
import ssl

import pytest

from http_benchmark.clients.adapter import Adapter
from http_benchmark.engine.faults import classify, describe


class LibraryError(Exception):
    """As libraries have them: what happened is in an argument, in `reason`, or only in the name."""

    def __init__(self, *args, reason=None):
        super().__init__(*args)
        self.reason = reason


class PoolTimeout(Exception):
    pass


def raised_from(cause):
    error = LibraryError("it failed")
    error.__cause__ = cause
    return error


def raised_while_handling(context):
    error = LibraryError("it failed")
    error.__context__ = context
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(), "refused"),
        (OSError(errno.ECONNREFUSED, "x"), "refused"),
        (FileNotFoundError(errno.ENOENT, "x"), "refused"),
        (OSError(errno.ENETUNREACH, "x"), "unreachable"),
        (OSError(errno.EHOSTUNREACH, "x"), "unreachable"),
        (socket.gaierror(-2, "Name or service not known"), "unreachable"),
        (ConnectionResetError(), "reset"),
        (BrokenPipeError(), "reset"),
        (http.client.RemoteDisconnected(), "reset"),
        (ssl.SSLEOFError(), "reset"),
        (TimeoutError(), "timeout"),
        (OSError(errno.ETIMEDOUT, "x"), "timeout"),
        (PoolTimeout(), "timeout"),
        (ssl.SSLCertVerificationError(), "tls"),
        (ssl.SSLError(), "tls"),
        (http.client.IncompleteRead(b""), "short"),
        (asyncio.IncompleteReadError(b"", 1), "short"),
        (http.client.BadStatusLine("x"), "protocol"),
        (OSError(errno.EMFILE, "x"), "other"),
        (ValueError(), "other"),
        (LibraryError(LibraryError(ConnectionRefusedError())), "refused"),
        (LibraryError(reason=socket.gaierror(-2, "x")), "unreachable"),
        (raised_from(raised_from(ssl.SSLError())), "tls"),
        (raised_while_handling(http.client.IncompleteRead(b"")), "short"),
        (ExceptionGroup("both", [ConnectionRefusedError()]), "refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_error_has_a_class_however_it_is_wrapped(error, kind):
    assert classify(error) == kind


def test_the_adapter_is_asked_first_about_each_in_the_chain():
    def own(error):
        return "short" if isinstance(error, LibraryError) else None

    adapter = Adapter("own", "", "", "", classify=own)

    assert classify(raised_from(ConnectionResetError()), adapter) == "short"
    assert classify(ConnectionResetError(), adapter) == "reset"


def test_errors_that_contain_each_other_end():
    error = ValueError()
    error.__cause__ = LibraryError(error)

    assert classify(error) == "other"


def test_what_an_error_says_is_one_line_of_bearable_length():
    assert describe(ValueError("one\n  two")) == "ValueError: one two"
    assert describe(TimeoutError()) == "TimeoutError"
    assert len(describe(ValueError("x" * 10_000))) == 300
