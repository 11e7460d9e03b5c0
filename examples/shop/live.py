"""News for whoever has the page open, whichever worker wrote them: each worker looks into the database."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from examples.shop.database import open_database
from penstock import Event, EventStream, Request, Router

SHOWN = 20
EVERY_S = 0.5

router = Router(include_in_schema=False)


class News:
    """The last lines, and whoever waits for the next."""

    def __init__(self) -> None:
        self.lines: deque[tuple[int, str]] = deque(maxlen=SHOWN)
        self._changed = asyncio.Event()

    async def refresh(self) -> None:
        """Called every half a second, in each worker: one query, however many watch."""
        last = self.lines[-1][0] if self.lines else 0
        lines = await asyncio.to_thread(read_news, last)
        if lines:
            self.lines.extend(lines)
            self._changed.set()
            self._changed = asyncio.Event()

    async def follow(self, seen: int) -> AsyncIterator[Event]:
        while True:
            changed = self._changed
            for number, text in list(self.lines):
                if number > seen:
                    yield Event(text, event="news", id=str(number))
                    seen = number
            await changed.wait()


news = News()


def read_news(after: int) -> list[tuple[int, str]]:
    db = open_database()
    try:
        rows = db.execute("select id, text from news where id > ? order by id desc limit ?", (after, SHOWN))
        return [(row["id"], row["text"]) for row in rows][::-1]
    finally:
        db.close()


@router.get("/live")
async def live(request: Request) -> EventStream:
    """A browser that was cut off says which line it saw last."""
    last = request.last_event_id or ""
    return EventStream(news.follow(int(last) if last.isdigit() else 0), retry_ms=1000)
