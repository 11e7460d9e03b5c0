"""Headless Chromium as a process: started with a profile of its own, ended by its own process group.

The pipes of the protocol are its descriptors 3 and 4. It reaches this machine only, whatever a page asks for.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.browser.devtools import BrowserError, DevTools
from tests.browser.page import Page

STARTS = 3
START_S = 30
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-sandbox",  # it needs rights that containers and root do not have; every page opened here is ours
    "--disable-gpu",
    "--disable-dev-shm-usage",  # it is small in containers
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=Translate,MediaRouter,OptimizationHints",
    "--metrics-recording-only",
    "--mute-audio",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1 , EXCLUDE ::1",
)
# Gives the new process its pipes as descriptors 3 and 4; `subprocess` passes descriptors under their own numbers only.
LAUNCHER = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"


class Browser:
    """A browser that is there when a page is asked for; one that died is started again."""

    def __init__(self, command):
        self._command = command
        self._process = None
        self.tools = None

    def open_page(self):
        """A new tab with cookies and storage of its own."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        return Page(self.tools)

    def _start(self):
        for attempt in range(STARTS):
            self.close()
            self._launch()
            try:
                self.tools.ask("Browser.getVersion", limit_s=START_S)
            except BrowserError:
                if attempt == STARTS - 1:
                    log = Path(self._folder, "log").read_text(errors="replace")
                    self.close()
                    raise BrowserError(f"Chromium did not start:\n{log}") from None
            else:
                return

    def _launch(self):
        self._folder = tempfile.mkdtemp(prefix="chromium-")
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs_in, theirs_out)]
        launch = [sys.executable, "-IS", "-c", LAUNCHER, *map(str, high)]
        with Path(self._folder, "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *launch,
                    self._command,
                    *FLAGS,
                    f"--user-data-dir={self._folder}/profile",
                    "about:blank",
                ],
                pass_fds=high,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"HOME": self._folder},
            )
        for end in (theirs_in, theirs_out, *high):
            os.close(end)
        self.tools = DevTools(ours_in, ours_out)

    def close(self):
        """End it, and all its processes."""
        if self._process is None:
            return
        try:
            self.tools.ask("Browser.close", limit_s=5)
            self._process.wait(5)
        except (BrowserError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process = None
        self.tools.close()
        shutil.rmtree(self._folder, ignore_errors=True)
