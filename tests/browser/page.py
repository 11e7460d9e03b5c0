"""A tab: what a person does with one, and what a test asks of it.

Clicks and keys are real input events, so that a button under something else is not clicked. Conditions are asked
inside the page until they hold; a page that goes away meanwhile is asked again when the next one is there.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from tests.browser.devtools import WAIT_S, BrowserError

# What becomes of an evaluation whose page goes away.
GONE = (
    "Inspected target navigated",
    "context was destroyed",
    "Cannot find context",
    "context with specified id",
)
KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), "ArrowDown": (40, ""), "ArrowUp": (38, "")}


class Page:
    """Made by `Browser.open_page`; a context manager."""

    def __init__(self, tools):
        self._tools = tools
        self._context = tools.ask("Target.createBrowserContext")["browserContextId"]
        self._target = tools.ask("Target.createTarget", url="about:blank", browserContextId=self._context)[
            "targetId"
        ]
        self._session = tools.ask("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        self._console = []
        self._requests = []
        self._loaded = set()
        tools.listeners[self._session] = self._hear
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Page.setLifecycleEventsEnabled", enabled=True)
        self.resize(1280, 900)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self._tools.listeners.pop(self._session, None)
        try:
            self._tools.ask("Target.disposeBrowserContext", browserContextId=self._context)
        except BrowserError:
            pass  # the browser is gone, and the page with it

    def ask(self, method, **params):
        """A command of the protocol, for what has no method here."""
        return self._tools.ask(method, self._session, **params)

    # -- doing

    def goto(self, url):
        """Open a URL and wait until it is loaded."""
        went = self.ask("Page.navigate", url=str(url))
        if "errorText" in went:
            raise BrowserError(f"{url}: {went['errorText']}")
        if "loaderId" in went:  # absent when only the fragment changed
            self._tools.wait(lambda: went["loaderId"] in self._loaded, f"the load event of {url}")

    def click(self, selector):
        """Click the middle of the first match, once there is one that can be seen."""
        x, y = self._find(
            selector,
            "const box = e.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]",
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def fill(self, selector, value):
        """Put a text into a field in place of what is in it, or choose an option of a `select` by its value."""
        text = json.dumps(value)
        is_typed = self._find(
            selector,
            f"""if (e.tagName == "SELECT") {{ e.value = {text}; e.dispatchEvent(new Event("input", {{bubbles: true}})) }}
            else {{ e.focus(); e.select?.() }}
            return e.tagName != "SELECT" """,
        )
        if is_typed and value:
            self.ask("Input.insertText", text=value)
        elif is_typed:
            self.press("Delete", 46)
        self._find(selector, 'e.dispatchEvent(new Event("change", {bubbles: true}))')

    def press(self, key, code=0):
        """Press a key where the focus is."""
        code, text = KEYS.get(key, (code, ""))
        names = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **names)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **names)

    def attach(self, selector, *paths):
        """Choose files in an `<input type=file>`."""
        self.wait_for(f"document.querySelector({json.dumps(selector)})")
        chosen = self.ask("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        self.ask(
            "DOM.setFileInputFiles",
            files=[str(path) for path in paths],
            objectId=chosen["result"]["objectId"],
        )

    def resize(self, width, height, *, dark=False):
        """Set the size of the view, a phone's when it is narrow, and the colours the person prefers."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    # -- asking

    def forget(self):
        """Leave the page, and forget what the console and the network said: as a new tab, at a tenth of its price."""
        self.goto("about:blank")
        self.ask("Network.clearBrowserCookies")
        self.evaluate("0")
        self._console.clear()
        self._requests.clear()
        self.resize(1280, 900)

    def evaluate(self, js):
        """The value of an expression, a promise's too, as JSON can tell it."""
        told = self.ask("Runtime.evaluate", expression=js, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise BrowserError(f"{js}: {_describe(told['exceptionDetails'])}")
        return told["result"].get("value")

    def wait_for(self, js_condition, limit_s=WAIT_S):
        """Wait until an expression is true in the page; its value, or True for a node. One that throws is not true yet."""
        deadline = monotonic() + limit_s
        while (left_s := deadline - monotonic()) > 0:
            asking = f"""new Promise(resolve => {{
                const end = performance.now() + {min(left_s, 10) * 1000}
                const look = async () => {{
                    let value
                    try {{ value = await ({js_condition}) }} catch {{}}
                    if (value || performance.now() > end) resolve(value instanceof Node || value)
                    else setTimeout(look, 15)
                }}
                look()
            }})"""
            try:
                value = self.evaluate(asking)
            except BrowserError as error:
                if not any(gone in str(error) for gone in GONE):
                    raise
                continue
            if value:
                return value
        said = self.evaluate("document.body.innerText")[:2000]
        raise BrowserError(
            f"{js_condition}: never true in {limit_s} s; the page says\n{said}\n{self.console}"
        )

    def text(self, selector):
        """What a person reads in the first match, once there is one."""
        return self.wait_for(f"[document.querySelector({json.dumps(selector)}).innerText]")[0]

    def texts(self, selector):
        """What a person reads in each match there is now."""
        return self.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)")

    def screenshot(self, path, *, whole=False):
        """Write a PNG of what is seen, or of the whole page."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    @property
    def console(self):
        """Errors and warnings so far: of scripts, of the console, of the network and of the page's policy."""
        self.evaluate("0")  # events come before the reply
        return list(self._console)

    @property
    def requests(self):
        """Every URL asked for so far, except what is no request: `data:` and `blob:`."""
        self.evaluate("0")
        return list(self._requests)

    @property
    def hosts(self):
        return {urlsplit(url).hostname for url in self.requests}

    # -- within

    def _find(self, selector, body):
        """Wait for an element that can be seen, bring it into view, and run the body of a function of `e`."""
        return self.wait_for(
            f"""(() => {{
                const e = document.querySelector({json.dumps(selector)})
                if (!e || !e.getClientRects().length) return false
                e.scrollIntoView({{block: "center", inline: "center", behavior: "instant"}})
                return [(e => {{ {body} }})(e)]
            }})()"""
        )[0]

    def _hear(self, event, params):
        if event == "Page.lifecycleEvent" and params["name"] == "load":
            self._loaded.add(params["loaderId"])
        elif event == "Network.requestWillBeSent" and not params["request"]["url"].startswith(
            ("data:", "blob:")
        ):
            self._requests.append(params["request"]["url"])
        elif event == "Network.webSocketCreated":
            self._requests.append(params["url"])
        elif event == "Runtime.exceptionThrown":
            self._console.append(_describe(params["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning", "assert"}:
            said = (str(arg.get("value", arg.get("description", ""))) for arg in params["args"])
            self._console.append(f"{params['type']}: {' '.join(said)}")
        elif event == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self._console.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".rstrip())
        elif event == "Page.javascriptDialogOpening":
            self._tools.send("Page.handleJavaScriptDialog", self._session, accept=True)


def _describe(details):
    return details.get("exception", {}).get("description") or details["text"]
