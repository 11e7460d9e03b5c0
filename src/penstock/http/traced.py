"""The half of a `Request` that says what it is called, here and in the services it came through, and what
its time goes to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.http.trace import find_request_id, read_ids, read_tracestate

if TYPE_CHECKING:
    from penstock.http.headers import Headers
    from penstock.http.timing import Entry, Timed
    from penstock.http.trace import Ids


class TracedRequest:
    """Ids by W3C Trace Context, and the name of `X-Request-ID`. Made when first asked for, and the same all
    request long.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        headers: Headers
        _rest: dict[str, Any] | None

        def _keep(self, name: str, value: Any) -> Any: ...
        def _kept(self, name: str) -> Any: ...

    def _make_ids(self) -> Ids:
        ids = read_ids(self.headers.get("traceparent"))
        self._keep("ids", ids)
        return ids

    # PERF: asked for each line of an access log; a look-up here saves two calls.

    @property
    def trace_id(self) -> str:
        """32 lower-case hex digits: from `traceparent` when that is valid, else random."""
        rest = self._rest
        ids: Ids | None = rest.get("ids") if rest is not None else None
        return (ids or self._make_ids())[0]

    @property
    def known_trace_id(self) -> str | None:
        """The trace id if anybody has asked for it yet; who only looks makes none."""
        ids: Ids | None = self._kept("ids")
        return ids[0] if ids is not None else None

    @property
    def span_id(self) -> str:
        """16 lower-case hex digits, new: this request among all of its trace."""
        rest = self._rest
        ids: Ids | None = rest.get("ids") if rest is not None else None
        return (ids or self._make_ids())[1]

    @property
    def parent_id(self) -> str:
        """The span of the client that caused this request; "" when it named none."""
        return (self._kept("ids") or self._make_ids())[2]

    @property
    def trace_flags(self) -> int:
        """Bit 0: the trace is sampled. Bit 1: its id is random. 3 for a trace that begins here."""
        return (self._kept("ids") or self._make_ids())[3]

    @property
    def tracestate(self) -> str:
        """What the systems before this one say to each other, valid, at most 512 octets; "" for nothing."""
        state: str | None = self._kept("tracestate")
        if state is None:
            state = self._keep("tracestate", read_tracestate(self.headers) if self.parent_id else "")
        return state

    def join_trace(self, ids: Ids, tracestate: str) -> None:
        """Be this span from now on: what a tracer has decided."""
        self._keep("ids", ids)
        self._keep("tracestate", tracestate)

    @property
    def span(self) -> Any:
        """What a tracer keeps with the request (`observe/spans/spans.py`); None without."""
        return self._kept("span")

    @span.setter
    def span(self, value: Any) -> None:
        self._keep("span", value)

    def note_failure(self, error: BaseException) -> None:
        """An exception was answered, or cut the content short."""
        self._keep("failure", type(error).__name__)
        if (span := self._kept("span")) is not None:
            span.fail(error)

    @property
    def request_id(self) -> str:
        """The name the client gave in `X-Request-ID`, of at most 128 plain characters, else the trace id; the
        hook `RequestID` gives another.
        """
        name: str | None = self._kept("request_id")
        if name is None:
            name = self._keep("request_id", find_request_id(self.headers) or self.trace_id)
        return name

    @request_id.setter
    def request_id(self, value: str) -> None:
        self._keep("request_id", value)

    # What its time goes to.

    @property
    def timings(self) -> list[Entry]:
        """What was told by `timing` and `timed`, in order; at most 32."""
        return self._kept("timings") or []

    def timing(self, name: str, seconds: float, description: str = "") -> None:
        """Tell how long a step took; with `--server-timing` the client sees it, if the head is not sent yet.
        `name` is a token such as `db`; more than 32 are left out.
        """
        from penstock.http.timing import is_full, make_entry

        entry = make_entry(name, seconds, description)
        entries: list[Entry] | None = self._kept("timings")
        if entries is None:
            self._keep("timings", [entry])
        elif not is_full(entries):
            entries.append(entry)

    def timed(self, name: str, description: str = "") -> Timed:
        """Return a context manager that tells how long its block took: `with request.timed("db"):`."""
        from penstock.http.timing import Timed, check_name

        check_name(name)
        return Timed(self, name, description)  # type: ignore[arg-type]  # every one is a Request
