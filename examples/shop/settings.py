"""What can be set from outside: `SHOP_REDIS_URL=redis://localhost penstock run ...`, or in a file `.env`."""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from penstock import load_settings


@dataclass(frozen=True)
class Settings:
    data: str = "shop-data"
    """The folder of the database and of the photos."""
    redis_url: str | None = None
    """Shared by all workers: cache, limits and sessions. Without it each worker keeps its own in memory."""
    secret: str | None = field(default=None, repr=False)
    """Signs sessions and tokens. Without it one is made, and kept in the folder."""
    logins_per_minute: int = 10

    @property
    def folder(self) -> Path:
        folder = Path(self.data)
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        return folder


settings = load_settings(Settings, prefix="SHOP_", env_file=".env")


def get_secret() -> str:
    """The same in every worker, and after a restart: otherwise everybody would be logged out."""
    if settings.secret:
        return settings.secret
    path = settings.folder / "secret"
    draft = path.with_name(f"secret-{os.getpid()}")
    draft.touch(0o600)
    draft.write_text(secrets.token_urlsafe(32))
    try:
        path.hardlink_to(draft)  # of several workers that start at once, one is first
    except FileExistsError:
        pass
    draft.unlink()
    return path.read_text()
