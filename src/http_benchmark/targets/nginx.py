"""nginx in front of instances: load balancing, passive health checks, TLS, all in a folder that is removed.

It listens on a socket opened here, handed over as nginx hands its own to the next generation (the variable
NGINX), so port 0 is one the kernel chooses. It needs no rights, every path it writes to is in the folder; as
root its workers are root's as well, as the instances are.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import resource
import shutil
import subprocess
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Any, Final

from http_benchmark.errors import BenchmarkError, UsageError
from http_benchmark.targets.process import Child, last_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path
    from queue import SimpleQueue

_LEAST: Final = (1, 19, 5)  # -e, without which it wants to write to /var/log
_SYSTEM: Final = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin"
_TEMPORARY: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_FILES: Final = 32_768
_WORKERS: Final = 4

_TEMPLATE: Final = """\
daemon off;
{user}
worker_processes {workers};
worker_rlimit_nofile {files};
pid "{folder}/nginx.pid";
error_log stderr crit;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
{temporary}
  upstream instances {{
    zone instances 64k;
    least_conn;
{servers}
    keepalive 256;
  }}
  server {{
    listen {listen};
{tls}
    server_tokens off;
    keepalive_timeout 3600s;
    keepalive_requests 100000000;
    client_max_body_size 20m;
    location / {{
      proxy_pass http://instances;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffering off;
      proxy_connect_timeout 2s;
      proxy_read_timeout 120s;
      # The application keeps nothing, so any request may be sent twice; a 503 may be what was asked for.
      proxy_next_upstream error timeout invalid_header non_idempotent;
      proxy_next_upstream_tries {instances};
      add_header X-Instance $upstream_addr always;
    }}
  }}
}}
"""


def find_nginx() -> str:
    """The path of nginx; UsageError where there is none, or one that is too old."""
    path = shutil.which("nginx") or shutil.which("nginx", path=_SYSTEM)
    if path is None:
        raise UsageError("nginx is not installed: apt install nginx-light, or leave out --behind nginx")
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", _describe(path))
    if found is None or tuple(map(int, found.groups())) < _LEAST:
        version = "of unknown version" if found is None else found[0].removeprefix("nginx/")
        raise UsageError(f"nginx {version} is too old for --behind nginx: 1.19.5 is needed")
    return path


def _describe(path: str) -> str:
    done = subprocess.run([path, "-V"], capture_output=True, text=True, check=False)  # noqa: S603 - it was found
    return done.stderr


def compose_configuration(
    folder: Path,
    address: tuple[str, int],
    instances: Sequence[Path],
    certificate: str | None = None,
    *,
    has_http2: bool = False,
) -> str:
    """The configuration, for instances that listen at these paths."""
    host, port = address
    words = [f"[{host}]:{port} ipv6only=on" if ":" in host else f"{host}:{port}", "backlog=4096"]
    tls = ""
    if certificate is not None:
        words += ["ssl", "http2"] if has_http2 else ["ssl"]
        tls = f'    ssl_certificate "{certificate}";\n    ssl_certificate_key "{certificate}";'
    files = min(_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1] % 2**63)
    is_root = os.geteuid() == 0
    return _TEMPLATE.format(
        user=f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};" if is_root else "",
        workers=min(os.cpu_count() or 1, _WORKERS),
        files=files,
        connections=files // 2,
        folder=folder,
        temporary="\n".join(f'  {kind}_temp_path "{folder}/{kind}";' for kind in _TEMPORARY),
        servers="\n".join(f'    server "unix:{path}" max_fails=1 fail_timeout=1s;' for path in instances),
        listen=" ".join(words),
        tls=tls,
        instances=len(instances),
    )


class Nginx:
    """nginx, running. Its end is put on the queue."""

    def __init__(
        self,
        folder: Path,
        listener: socket.socket,
        instances: Sequence[Path],
        certificate: str | None,
        events: SimpleQueue[Any],
    ) -> None:
        program, fd = find_nginx(), listener.fileno()
        address = listener.getsockname()[:2]
        has_http2 = "--with-http_v2_module" in _describe(program)
        text = compose_configuration(folder, address, instances, certificate, has_http2=has_http2)
        path = folder / "nginx.conf"
        path.write_text(text, "utf-8")
        words = ["--program", program, "-e", "stderr", "-p", str(folder), "-c", str(path)]
        self._told: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `stop`
        self._child = Child(words, [fd], self._told.fileno(), NGINX=f"{fd};", HTTP_BENCHMARK_FDS=str(fd))
        self._events = events
        threading.Thread(target=self._wait, name="nginx", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def _wait(self) -> None:
        self._child.process.wait()
        self._events.put(self)

    def explain_end(self) -> BenchmarkError:
        """Why it has ended."""
        code = self._child.process.wait()
        reason = f"signal {code - 128}" if code > 128 else last_line(self._told) or f"exit code {code}"
        return BenchmarkError(f"nginx has ended: {reason}")

    def stop(self) -> None:
        """End it."""
        self._child.stop()
        self._told.close()
