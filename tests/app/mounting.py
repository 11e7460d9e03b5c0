"""Applications to mount: of ASGI and of WSGI, which tell what they are given."""

import asyncio
import json


class Told:
    """What an application notes down for its test."""

    def __init__(self):
        self.events = []
        self.left = asyncio.Event()


def make_asgi(told=None):
    told = told or Told()

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
        elif scope["type"] == "websocket":
            await conversation(scope, receive, send)
        else:
            await exchange(scope, receive, send)

    async def lifespan(scope, receive, send):
        await receive()
        told.events.append("startup")
        scope["state"]["shared"] = "from lifespan"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        told.events.append("shutdown")
        await send({"type": "lifespan.shutdown.complete"})

    async def conversation(scope, receive, send):
        await receive()
        if scope["path"].endswith("/refused"):
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
        await send({"type": "websocket.send", "text": f"{scope['root_path']}|{scope['path']}"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})
        told.events.append(f"closed {message['code']}")

    async def exchange(scope, receive, send):
        path = scope["path"].removeprefix(scope["root_path"])
        if path == "/echo":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            more = True
            while more:
                message = await receive()
                more = message.get("more_body", False)
                await send({"type": "http.response.body", "body": message["body"], "more_body": more})
        elif path == "/wait":
            while (await receive())["type"] != "http.disconnect":
                pass
            told.events.append("left")
            told.left.set()
        elif path == "/endless":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            try:
                while True:
                    await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            except OSError:
                told.events.append("left")
                told.left.set()
        elif path == "/cut":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        elif path == "/fail":
            raise LookupError("on purpose")
        else:
            kept = ("root_path", "path", "query_string", "method", "state")
            body = json.dumps({name: scope[name] for name in kept}, default=bytes.decode).encode()
            fields = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            await send({"type": "http.response.body", "body": body})

    application.told = told
    return application


def make_wsgi(closed=None):
    class Pieces:
        def __init__(self, pieces):
            self._pieces = iter(pieces)

        def __iter__(self):
            return self._pieces

        def close(self):
            closed.append(True)

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/echo":
            start_response("200 OK", [])
            return iter(lambda: environ["wsgi.input"].read(10_000), b"")
        if path == "/write":
            write = start_response("200 OK", [])
            write(b"written, ")
            write(b"again, ")
            return [b"returned"]
        if path == "/closing":
            start_response("200 OK", [])
            return Pieces([b"a", b"b"])
        if path == "/fail":
            raise LookupError("on purpose")
        kept = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD")
        body = json.dumps({name: environ[name] for name in kept}).encode()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body]

    return application
