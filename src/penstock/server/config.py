"""Every setting of the server, once.

A field of `Config` carries its kind, its group and its purpose; its name carries its unit. From that one
place come the flag, the environment variable, the key in a file, what `penstock check` and the banner print,
and the table in the documentation. The three names are the field's without its unit:

    idle_timeout_s   --idle-timeout 75   PENSTOCK_IDLE_TIMEOUT=75   idle_timeout = 75

A `Config` that exists is valid: each value went through the kind of its field. Every field is used by the
server; one that nothing reads is deleted. Absent on purpose: where values come from (`settings`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from penstock.errors import ConfigError
from penstock.http.websocket import WebSocketSettings
from penstock.server.config_observing import ObservingConfig
from penstock.server.kinds import (
    Bind,
    Choice,
    Count,
    FieldValue,
    Host,
    Maybe,
    Mode,
    Peer,
    Prefix,
    Seconds,
    Secret,
    Several,
    Size,
    Switch,
    Text,
)
from penstock.server.setting import (
    DEADLINES,
    DEVELOPMENT,
    GROUPS,
    LIMITS,
    LISTENING,
    LOG,
    OPERATIONS,
    PROXIES,
    TLS,
    WEBSOCKET,
    WORK,
    WORKERS,
    Setting,
    describe,
    setting,
)
from penstock.wire.limits import Limits

_WIRE = Limits()
_WEBSOCKET = WebSocketSettings()


def _count_processors() -> int:
    """How many processors this process may use: fewer than the machine has, under taskset or a cpuset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(ObservingConfig):
    """The effective settings of one server; raises `ConfigError` for a value its field does not take."""

    # Loopback: a server open to the network is a decision, not a default (uvicorn, gunicorn, Django).
    host: str = setting("127.0.0.1", LISTENING, Host(), "address to listen on; 0.0.0.0 or :: for all")
    port: int = setting(8000, LISTENING, Count(0, 65_535), "port to listen on; 0 takes a free one")
    bind: tuple[str, ...] = setting(
        (),
        LISTENING,
        Several(Bind()),
        "listen here instead: HOST:PORT, [::1]:PORT, unix:/path, fd://N; may be repeated",
    )
    # Who may connect may use everything served. nginx and uvicorn 666, Docker 660.
    unix_mode: str = setting("660", LISTENING, Mode(), "permissions of unix sockets, in octal")
    unix_owner: str | None = setting(
        None, LISTENING, Text("USER[:GROUP]", "USER, USER:GROUP or :GROUP"), "owner of unix sockets"
    )
    # gunicorn 2048, uvicorn 2048, nginx 511; the kernel cuts it to net.core.somaxconn (4096 since Linux 5.4).
    backlog: int = setting(
        2048, LISTENING, Count(1, 65_535), "connections the kernel may hold before they are accepted"
    )

    tls_cert: tuple[str, ...] = setting(
        (),
        TLS,
        Several(Text("FILE", "a path")),
        "serve HTTPS with this certificate chain (PEM); repeat it and the key to choose by name",
    )
    tls_key: tuple[str, ...] = setting(
        (),
        TLS,
        Several(Text("FILE", "a path")),
        "its private key (PEM); none when it is in the same file",
    )
    tls_key_password: str | None = setting(None, TLS, Secret(), "what an encrypted key is opened with")
    tls_client_ca: str | None = setting(
        None, TLS, Text("FILE", "a path"), "ask clients for a certificate signed by one of these (PEM)"
    )
    tls_self_signed: bool = setting(
        default=False,
        group=TLS,
        kind=Switch(),
        purpose="serve HTTPS with a certificate for localhost made by openssl, for development",
    )

    # uvicorn and gunicorn trust 127.0.0.1 unasked: then any local process says who the client is.
    proxy_trust: tuple[str, ...] = setting(
        (),
        PROXIES,
        Several(Peer()),
        "whose word about the client is taken: addresses, networks, unix, *",
    )
    proxy_family: str = setting(
        "x-forwarded",
        PROXIES,
        Choice("x-forwarded", "forwarded", "none"),
        "the fields they write; never both",
    )
    proxy_protocol: bool = setting(
        default=False,
        group=PROXIES,
        kind=Switch(),
        purpose="each of their connections begins with a header of the PROXY protocol, version 1 or 2",
    )

    root_path: str = setting(
        "",
        PROXIES,
        Prefix(),
        "what a proxy takes off the front of each path, where it does not say so itself",
    )

    # gunicorn 1, uvicorn 1, nginx 1. More use more processors, each with a copy of the application that
    # shares no memory with the others: for the operator to decide.
    workers: int = setting(1, WORKERS, Count(1, 512), "processes that serve; more than one has a supervisor")
    preload: bool = setting(
        default=False,
        group=WORKERS,
        kind=Switch(),
        purpose="import the application once, before the workers are forked",
    )
    # gunicorn and uvicorn count requests only, granian lifetime and RSS as well; no limit is their default.
    # A limit hides a leak, so none is a default.
    max_requests: int = setting(0, WORKERS, Count(0), "a worker is replaced after so many; 0 for never")
    max_lifetime_s: float = setting(
        0.0, WORKERS, Seconds(zero=True), "a worker is replaced after so long; 0 for never"
    )
    max_rss_bytes: int = setting(
        0, WORKERS, Size(0), "a worker is replaced when it holds so much memory; 0 for never"
    )
    # gunicorn 30. Nothing on the loop should take a tenth of a second; what takes so long does not come back.
    stuck_timeout_s: float = setting(
        30.0,
        WORKERS,
        Seconds(zero=True),
        "a loop that stands still so long is logged, and its worker replaced; 0 for never",
    )

    interface: str = setting(
        "auto",
        WORK,
        Choice("auto", "native", "asgi", "wsgi"),
        "how the application is called; auto decides by looking at it",
    )
    loop: str = setting(
        "asyncio", WORK, Choice("asyncio", "uvloop"), "event loop; uvloop needs the extra of that name"
    )
    # waitress 4, cheroot 10, Starlette 40. Threads beyond what waits on I/O only contend for the GIL.
    threads: int = setting(16, WORK, Count(), "threads that run `def` handlers, at most")
    # 16 threads with handlers of 10 ms empty it in 0.64 s: who waits longer is better served by a 503.
    queue_limit: int = setting(1024, WORK, Count(0), "requests that may wait for a thread; beyond it 503")
    processes: int = setting(
        _count_processors, WORK, Count(), 'processes for run="process" handlers, at most'
    )
    # nginx 512-1024 a worker, Node none. 10,000 idle connections hold 15 MB; were each to fill its read-ahead
    # and write buffers it would be 3 GB, so more is for the operator to decide.
    connection_limit: int = setting(10_000, WORK, Count(), "open connections; beyond it accepting pauses")

    # nginx 1000, Apache 100, Node and uvicorn none. nginx frees memory by it; requests here leave none.
    requests_per_connection: int = setting(
        0, WORK, Count(0), "requests on one connection, whose last reply closes it; 0 for no limit"
    )

    # nginx 60, Apache 5-20 (mod_reqtimeout), hypercorn 60: three packets each way and a signature.
    tls_handshake_timeout_s: float = setting(
        10.0, DEADLINES, Seconds(), "for a client to finish the TLS handshake"
    )
    # granian 30, nginx 60, Node 60, Apache 20-40: a head fits in a few packets.
    head_timeout_s: float = setting(
        15.0, DEADLINES, Seconds(), "to receive a request's head, from its first byte"
    )
    # nginx 60 (between two reads, so a trickle never ends), Node 300 for the whole request.
    content_timeout_s: float = setting(
        60.0, DEADLINES, Seconds(), "to receive content, unless its handler streams it"
    )
    # Kestrel's MinRequestBodyDataRate; Apache's mod_reqtimeout 500.
    content_min_rate_bytes_per_s: int = setting(
        240, DEADLINES, Size(0, "B/s"), "slowest average rate of a request's content; 0 takes any"
    )
    # Off: here it is not the client that is slow. Only the author knows how long is too long, and what is cut
    # off then is his work. nginx 60 (proxy_read_timeout), Heroku 30; uvicorn, hypercorn, granian none.
    handler_timeout_s: float = setting(
        0.0,
        DEADLINES,
        Seconds(zero=True, none="no limit"),
        "for a handler to begin its response; beyond it 504, 0 for no limit",
    )
    # nginx 75. Longer than the 60 s for which load balancers keep theirs, so the balancer closes first.
    idle_timeout_s: float = setting(75.0, DEADLINES, Seconds(), "a connection is kept open between requests")
    # nginx 60 (between two writes), cheroot 10.
    write_timeout_s: float = setting(30.0, DEADLINES, Seconds(), "a client may leave a reply unread")
    # Below the 30 s after which Kubernetes kills; gunicorn 30.
    drain_timeout_s: float = setting(
        20.0, DEADLINES, Seconds(zero=True), "to finish what is in flight when stopping"
    )
    # nginx 5, Apache 2. RFC 9112 §9.6: without it a reset may destroy the reply before the client reads it.
    linger_timeout_s: float = setting(
        2.0, DEADLINES, Seconds(zero=True), "to discard what a client still sends after the last reply"
    )
    # hypercorn 60.
    lifespan_timeout_s: float = setting(
        60.0, DEADLINES, Seconds(), "for the application to start, and again to stop"
    )

    # The numbers, with their precedents, stand in wire/limits.py.
    request_line_limit_bytes: int = setting(
        _WIRE.request_line_bytes, LIMITS, Size(16), "request line; beyond it 414"
    )
    head_limit_bytes: int = setting(
        _WIRE.head_bytes, LIMITS, Size(64), "request line and fields together; beyond it 431"
    )
    field_limit: int = setting(_WIRE.fields, LIMITS, Count(), "fields in a head; beyond it 431")
    content_limit_bytes: int = setting(
        _WIRE.content_bytes, LIMITS, Size(0), "content, unless the route says otherwise; beyond it 413"
    )
    chunk_line_limit_bytes: int = setting(
        _WIRE.chunk_line_bytes, LIMITS, Size(16), "chunk size with its extensions; beyond it 400"
    )
    trailer_limit_bytes: int = setting(_WIRE.trailer_bytes, LIMITS, Size(0), "trailer section; beyond it 431")
    trailer_field_limit: int = setting(
        _WIRE.trailer_fields, LIMITS, Count(0), "fields in a trailer section; beyond it 431"
    )
    # uvicorn 64 KiB (HIGH_WATER_LIMIT): one read of the socket.
    pipeline_buffer_bytes: int = setting(
        2**16, LIMITS, Size(), "bytes read ahead while a request is served; beyond it the client waits"
    )

    # The numbers, with their precedents, stand in http/websocket.py.
    ws_message_limit_bytes: int = setting(
        _WEBSOCKET.message_limit_bytes,
        WEBSOCKET,
        Size(),
        "a message, after inflation; beyond it close code 1009",
    )
    ws_queue_limit: int = setting(
        _WEBSOCKET.queue_limit, WEBSOCKET, Count(), "messages received ahead; beyond it the client waits"
    )
    ws_ping_interval_s: float = setting(
        _WEBSOCKET.ping_interval_s,
        WEBSOCKET,
        Seconds(zero=True),
        "a silent client is sent a ping; 0 for never",
    )
    ws_ping_timeout_s: float = setting(
        _WEBSOCKET.ping_timeout_s,
        WEBSOCKET,
        Seconds(zero=True),
        "to answer it before the connection is cut; 0 for any time",
    )
    ws_close_timeout_s: float = setting(
        _WEBSOCKET.close_timeout_s, WEBSOCKET, Seconds(), "for a client to answer a close"
    )
    ws_compression: bool = setting(
        default=_WEBSOCKET.compression,
        group=WEBSOCKET,
        kind=Switch(),
        purpose="compress messages for clients that offer it (permessage-deflate)",
    )

    # Off: compressing a secret beside what an attacker chose gives it away (BREACH), and a proxy may do it.
    compression: bool = setting(
        default=False,
        group=LOG,
        kind=Switch(),
        purpose="compress responses of types that gain by it, for clients that accept it",
    )
    # RFC 9110 §10.2.4 warns of telling more than needed; nginx, uvicorn and gunicorn name themselves.
    server_header: str | None = setting(None, LOG, FieldValue(), "value of the Server field; empty for none")

    pid_file: str | None = setting(
        None, OPERATIONS, Text("FILE", "a path"), "where the id of the process to signal is written"
    )
    user: str | None = setting(
        None,
        OPERATIONS,
        Text("USER", "a user's name or number"),
        "who serves, once root has opened the addresses",
    )
    group: str | None = setting(
        None, OPERATIONS, Text("GROUP", "a group's name or number"), "with which group; else the user's own"
    )
    umask: str | None = setting(
        None, OPERATIONS, Maybe(Mode()), "permissions that new files do not get, in octal"
    )
    chdir: str | None = setting(
        None, OPERATIONS, Text("DIR", "a path"), "run in this directory, as if started there"
    )

    # Nothing turns these on but their names: no variable, no terminal, no host name is taken for a hint.
    development: bool = setting(
        default=False,
        group=DEVELOPMENT,
        kind=Switch(),
        purpose="failures are answered with their traceback; never where others can connect",
    )
    reload: bool = setting(
        default=False,
        group=DEVELOPMENT,
        kind=Switch(),
        purpose="a saved file starts the application anew; with all of --development",
    )
    reload_dir: tuple[str, ...] = setting(
        (),
        DEVELOPMENT,
        Several(Text("DIR", "a path")),
        "watch this too, besides the directory of the application; may be repeated",
    )
    reload_include: tuple[str, ...] = setting(
        (), DEVELOPMENT, Several(Text("GLOB", "a pattern")), "watch these files too, besides *.py"
    )
    reload_exclude: tuple[str, ...] = setting(
        (), DEVELOPMENT, Several(Text("GLOB", "a pattern")), "pass over these files and folders"
    )

    def __post_init__(self) -> None:
        """Reads each value by its kind."""
        for each in SETTINGS:
            try:
                value = each.kind.read(getattr(self, each.name))
            except ValueError as error:
                msg = f"{each.key}: {error}"
                raise ConfigError(msg) from None
            object.__setattr__(self, each.name, value)

    def check_together(self) -> None:
        """Raise `ConfigError` for values that are right alone and wrong together; at the start."""
        if self.tls_key and len(self.tls_key) != len(self.tls_cert):
            msg = (
                f"tls_key: {len(self.tls_key)} of them for {len(self.tls_cert)} of tls_cert; they go in pairs"
            )
            raise ConfigError(msg)
        if self.tls_self_signed and self.tls_cert:
            raise ConfigError("tls_self_signed: there is a tls_cert; one of the two")
        if self.tls_client_ca and not self.is_secure:
            raise ConfigError("tls_client_ca: clients show a certificate over TLS only; set tls_cert")

        if self.access_log_file and not self.access_log:
            raise ConfigError("access_log_file: access_log is off, so nothing would be written to it")
        if self.proxy_protocol and not self.proxy_trust:
            raise ConfigError("proxy_protocol: nobody is trusted to send it; name the proxies in proxy_trust")

        if self.reload and self.preload:
            raise ConfigError("preload: what is imported once cannot be reloaded; one of the two")

    @property
    def is_secure(self) -> bool:
        """TLS is spoken on every address."""
        return bool(self.tls_cert) or self.tls_self_signed

    @property
    def is_supervised(self) -> bool:
        """True: workers serve, and a supervisor replaces them."""
        is_recycling = bool(self.max_requests or self.max_lifetime_s or self.max_rss_bytes)
        return self.workers > 1 or is_recycling or self.reload

    @property
    def limits(self) -> Limits:
        """The bounds on one request, as the wire takes them."""
        return Limits(
            request_line_bytes=self.request_line_limit_bytes,
            head_bytes=self.head_limit_bytes,
            fields=self.field_limit,
            content_bytes=self.content_limit_bytes,
            chunk_line_bytes=self.chunk_line_limit_bytes,
            trailer_bytes=self.trailer_limit_bytes,
            trailer_fields=self.trailer_field_limit,
        )

    @property
    def websocket(self) -> WebSocketSettings:
        """How WebSocket connections are kept, as `penstock.websocket` takes it."""
        return WebSocketSettings(
            message_limit_bytes=self.ws_message_limit_bytes,
            queue_limit=self.ws_queue_limit,
            ping_interval_s=self.ws_ping_interval_s,
            ping_timeout_s=self.ws_ping_timeout_s,
            close_timeout_s=self.ws_close_timeout_s,
            compression=self.ws_compression,
        )

    def timeouts(self) -> list[float]:
        """Every deadline of a connection, in seconds: the shortest says how often they are looked at."""
        return [
            self.tls_handshake_timeout_s,
            self.head_timeout_s,
            self.content_timeout_s,
            self.handler_timeout_s,
            self.idle_timeout_s,
            self.write_timeout_s,
            self.linger_timeout_s,
        ]


SETTINGS: tuple[Setting, ...] = tuple(
    sorted(map(describe, fields(Config)), key=lambda each: GROUPS.index(each.group))
)
