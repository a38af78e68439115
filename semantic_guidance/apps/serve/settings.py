"""How the studio is served. Nothing here needs FastAPI, so that help and errors come at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from semantic_guidance.apps.serve.records import Limits
from semantic_guidance.core.config import check_ranges
from semantic_guidance.core.options import option

PORT = 7860
VISITORS = "visitors"


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Where the studio is, and what its visitors may ask for."""

    host: str = option(
        "127.0.0.1",
        "address to listen at; 0.0.0.0 is all of this machine's, for visitors from elsewhere (default:"
        " %(default)s: nobody but you)",
        metavar="ADDRESS",
    )
    port: int = option(
        PORT, "to listen at; 0 takes a free one (default: %(default)s)", metavar="N", min=0, max=65535
    )
    open: bool = option(False, "open the page in the browser")
    allow_host: str | tuple[str, ...] | None = option(
        None,
        "name under which visitors reach the studio, as of a reverse proxy, besides localhost and --host;"
        " may be given several times",
        metavar="NAME",
        repeated=True,
        group=VISITORS,
    )
    workers: int | None = option(
        None,
        "paintings at a time (default: as many as there are cores)",
        metavar="N",
        min=1,
        max=256,
        group=VISITORS,
    )
    queue: int = option(
        Limits.queue,
        "paintings that may wait (default: %(default)s)",
        metavar="N",
        min=0,
        max=10_000,
        group=VISITORS,
    )
    keep: float = option(
        Limits.keep_seconds / 60,
        "minutes after which pictures and paintings are removed that nobody has touched (default: 60)",
        metavar="MINUTES",
        above=0,
        max=100_000,
        group=VISITORS,
    )
    max_upload: int = option(
        Limits.upload_bytes >> 20,
        "size of a picture's file in MB at most (default: %(default)s)",
        metavar="MB",
        min=1,
        max=4096,
        group=VISITORS,
    )

    grace: float = option(
        Limits.grace,
        "seconds after which the painting of a page that was closed is stopped (default: %(default)s)",
        metavar="SECONDS",
        min=0.5,
        max=3600,
        group=VISITORS,
    )

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The other names of the server."""
        if self.allow_host is None:
            return ()
        return (self.allow_host,) if isinstance(self.allow_host, str) else tuple(self.allow_host)

    @property
    def limits(self) -> Limits:
        """What visitors may ask for."""
        return replace(
            Limits(),
            upload_bytes=self.max_upload << 20,
            queue=self.queue,
            keep_seconds=self.keep * 60,
            grace=self.grace,
        )
