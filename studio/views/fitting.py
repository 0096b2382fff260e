"""How large pictures can be side by side: as high as one another, and as large as the room is."""

from collections.abc import Sequence

Size = tuple[int, int]      # width, height in pixels


def fitted(room: Size, pictures: Sequence[Size], gap: int) -> list[Size]:
    """Sizes at which pictures fit side by side into a room, each in its own proportion.

    Args:
        room: what there is; may be smaller than nothing while a window is dragged.
        pictures: their own sizes.
        gap: between two of them.
    """
    if not pictures:
        return []
    width = room[0] - gap * (len(pictures) - 1)
    ratios = [own_width / own_height for own_width, own_height in pictures]
    height = max(8.0, min(float(room[1]), width / sum(ratios)))
    return [(max(8, int(height * ratio)), int(height)) for ratio in ratios]
