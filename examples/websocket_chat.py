"""A chat over WebSocket: `penstock run examples.websocket_chat:app`, then open it in two windows.

Each room is a set of members. A client that does not read holds up nobody: its lines are sent by a task of
its own, out of a queue with a bound, and what does not fit it misses.
"""

import asyncio
import contextlib
from collections import defaultdict

from penstock import App, HTMLResponse, WebSocket, WebSocketDisconnect

PAGE = """<!doctype html><title>Chat</title>
<form id="form"><input id="line" autofocus autocomplete="off"></form><ul id="lines"></ul>
<script>
const url = new URL("/rooms/lobby", location.href.replace("http", "ws"))
url.searchParams.set("name", prompt("Name?"))
const socket = new WebSocket(url)
socket.onmessage = ({data}) => {
  const {name, text} = JSON.parse(data)
  lines.insertAdjacentElement("afterbegin", document.createElement("li")).textContent = `${name}: ${text}`
}
form.onsubmit = () => { socket.send(JSON.stringify({text: line.value})); line.value = ""; return false }
</script>"""

app = App()

BACKLOG = 100


class Member:
    """One socket, and what it has still to be sent."""

    def __init__(self, ws: WebSocket) -> None:
        self._ws = ws
        self._lines: asyncio.Queue[dict[str, str]] = asyncio.Queue(BACKLOG)

    def tell(self, line: dict[str, str]) -> None:
        with contextlib.suppress(asyncio.QueueFull):  # it does not read: it misses what is said
            self._lines.put_nowait(line)

    async def write(self) -> None:
        """Send line by line, each when the client has taken the last."""
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await self._ws.send_json(await self._lines.get())


rooms: dict[str, set[Member]] = defaultdict(set)


@app.get("/")
async def page() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.websocket("/rooms/{room}", message_limit_bytes=4096)
async def join(ws: WebSocket, room: str, name: str) -> None:
    await ws.accept()
    member = Member(ws)
    rooms[room].add(member)
    writer = asyncio.create_task(member.write())
    try:
        say(room, name, "joined")
        while True:
            line = await ws.receive_json()
            if isinstance(line, dict):
                say(room, name, str(line.get("text", "")))
    except WebSocketDisconnect:
        say(room, name, "left")
    finally:
        rooms[room].discard(member)
        writer.cancel()


def say(room: str, name: str, text: str) -> None:
    for member in rooms[room]:
        member.tell({"name": name, "text": text})
