"""Applications that answer every path with JSON of what they saw: one for each place a handler can run in.

`python -m penstock run tests.apps.echo:inline` and `:coroutine`, `:thread`, `:streamed`, `:streamed_in_thread`.
"""

from penstock import App, BodyStream, JSONResponse, Request

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

inline = App()
coroutine = App()
thread = App()
streamed = App()
streamed_in_thread = App()


def describe(request: Request, content: bytes) -> JSONResponse:
    return JSONResponse(
        {
            "method": request.method,
            "raw_path": request.raw_path.decode("latin-1"),
            "raw_query": request.raw_query.decode("latin-1"),
            "version": request.http_version,
            "host": request.host,
            "fields": list(request.headers.items()),
            "content": content.decode("latin-1"),
            "trailers": list(request.trailers.items()) if request.trailers is not None else [],
        }
    )


@inline.route("/", METHODS, run="inline")
@inline.route("/{rest:path}", METHODS, run="inline")
def echo_inline(request: Request) -> JSONResponse:
    return describe(request, request.body)


@coroutine.route("/", METHODS)
@coroutine.route("/{rest:path}", METHODS)
async def echo_coroutine(request: Request) -> JSONResponse:
    return describe(request, request.body)


@thread.route("/", METHODS)
@thread.route("/{rest:path}", METHODS)
def echo_thread(request: Request) -> JSONResponse:
    return describe(request, request.body)


@streamed.route("/", METHODS)
@streamed.route("/{rest:path}", METHODS)
async def echo_streamed(request: Request, stream: BodyStream) -> JSONResponse:
    return describe(request, await stream.read())


@streamed_in_thread.route("/", METHODS)
@streamed_in_thread.route("/{rest:path}", METHODS)
def echo_streamed_in_thread(request: Request, stream: BodyStream) -> JSONResponse:
    return describe(request, stream.read_sync())
