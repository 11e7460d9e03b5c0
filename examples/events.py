"""Server-Sent Events: `penstock run examples.events:app`, then open it or `curl -N localhost:8000/clock`.

A clock, which has no past, and a log, whose readers come back with the id of the last line they saw.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from penstock import App, Event, EventStream, HTMLResponse, Request

PAGE = """<!doctype html><title>Events</title><h1 id="time">-</h1><ul id="lines"></ul>
<script>
new EventSource("/clock").onmessage = (event) => { time.textContent = JSON.parse(event.data).time }
new EventSource("/log").addEventListener("line", (event) => {
  lines.insertAdjacentElement("afterbegin", document.createElement("li")).textContent = event.data
})
</script>"""

app = App()


class Log:
    """The last lines, numbered, and whoever waits for the next one."""

    def __init__(self, size: int) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=size)
        self._count = 0
        self._changed = asyncio.Event()

    def add(self, text: str) -> int:
        self._count += 1
        self._lines.append((self._count, text))
        self._changed.set()
        self._changed = asyncio.Event()
        return self._count

    async def follow(self, seen: int) -> AsyncIterator[tuple[int, str]]:
        """Every line after `seen`, and each new one as it comes."""
        while True:
            changed = self._changed
            for number, text in list(self._lines):
                if number > seen:
                    yield number, text
                    seen = number
            await changed.wait()


log = Log(1000)


@app.get("/")
async def page() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.get("/clock")
async def clock() -> AsyncIterator[Event]:
    """An async generator that yields events is a stream of them; it is closed when the client leaves."""
    while True:
        yield Event({"time": datetime.now(UTC).isoformat(timespec="seconds")})
        await asyncio.sleep(1)


@app.post("/log")
async def write(request: Request) -> dict[str, int]:
    return {"id": log.add(request.text())}


@app.get("/log")
async def read(request: Request) -> EventStream:
    """With ids, a client that was cut off goes on where it was; the browser does all of that by itself."""
    last = request.last_event_id or ""

    async def lines() -> AsyncIterator[Event]:
        async for number, text in log.follow(int(last) if last.isdigit() else 0):
            yield Event(text, event="line", id=str(number))

    return EventStream(lines(), retry_ms=1000)
