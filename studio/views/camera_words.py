"""What is said under a camera's picture: its rate, or why the picture is old.

Knows streams; refuses to know pictures.
"""

from studio.station.messages import StreamHealth
from studio.views.health_bar import FAULT, stream_text
from studio.views.words import age

STALE_MS = 1000.0


def why_old(stream: StreamHealth | None, *, silent: bool) -> str:
    """Why a picture that stands there is not live; empty if it is."""
    if silent:
        return "Old picture: the station says nothing"
    return (f"No picture for {age(stream.age_ms)}"
            if stream is not None and stream.age_ms > STALE_MS else "")


def caption(name: str, stream: StreamHealth | None, *, silent: bool, before: int = 0
            ) -> tuple[str, str]:
    """Name and state of a camera, and a tone.

    Args:
        name: of the camera.
        stream: its health, as far as the station has said anything of it.
        silent: the station has said nothing for a second.
        before: drops that are no news any more.
    """
    text, tone = why_old(stream, silent=silent), FAULT
    if not text:
        text, tone = stream_text(stream, before) if stream else ("nothing yet", "warning")
    return f"{name.capitalize()}   {text}", tone if tone == FAULT else "offline"
