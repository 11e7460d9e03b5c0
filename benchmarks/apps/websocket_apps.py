"""A WebSocket that echoes, as a route and as the least ASGI application."""
# ruff: noqa: D103

from typing import Any

from penstock import App, WebSocket

native = App()


@native.websocket("/")
async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"].rpartition(".")[2]
            await send({"type": f"lifespan.{kind}.complete"})
            if kind == "shutdown":
                return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") is not None:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
