"""What is left to do for a request once its reply is out: who answered it leaves `Ending`s, who sent the
reply has them run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.http.handler import TASK, THREAD

if TYPE_CHECKING:
    from penstock.http.request import Request


async def close_endings(request: Request, error: BaseException | None = None) -> None:
    """Run the endings of a request, the last one left first, each where it wants to run. `error` is what cut
    the content of the reply short.
    """
    server = request.server
    interrupted: BaseException | None = None
    for ending in request.take_endings():
        try:
            if ending.run == TASK:
                await ending.aclose(error)
            elif ending.run == THREAD and server is not None:
                await server.continue_in_thread(ending.close, error)
            else:
                ending.close(error)
        except BaseException as raised:  # cancelled; the others are to be run all the same
            interrupted = raised
    if interrupted is not None:
        raise interrupted
