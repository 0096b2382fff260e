"""Numbers of the command line that nothing could be done with, refused before anything begins.

Knows bounds and the words of a refusal; refuses to know what a number is for.
"""

import math
from collections.abc import Iterable

from studio.commands.output import UsersMistakeError

_SMALLEST_PX, _LARGEST_PX = 16, 4096        # the least that shows a cube; the most that GL draws


def require_finite(name: str, value: float, *, more_than: float | None = None) -> None:
    """Refuse what is no number, endless, or too small.

    Args:
        name: of the option, as "--max-s".
        value: of the option.
        more_than: it must be; without one it must not be negative.

    Raises:
        UsersMistakeError: saying what is valid.
    """
    if not math.isfinite(value) or (value < 0 if more_than is None else value <= more_than):
        valid = "0 or more" if more_than is None else f"more than {more_than:g}"
        raise UsersMistakeError(f"{name} must be {valid}, not {value:g}")


def require_at_least_one(options: Iterable[tuple[str, int]]) -> None:
    """Refuse counts of nothing, each given with its option's name.

    Raises:
        UsersMistakeError: naming the first.
    """
    for name, value in options:
        if value < 1:
            raise UsersMistakeError(f"{name} must be at least 1, not {value}")


def require_seed(seed: int) -> None:
    """Refuse a seed that no generator takes.

    Raises:
        UsersMistakeError: it is negative.
    """
    if seed < 0:
        raise UsersMistakeError(f"--seed must be 0 or more, not {seed}")


def require_image_size(size: tuple[int, int]) -> None:
    """Refuse pictures, height and width in px, that nobody can draw.

    Raises:
        UsersMistakeError: saying which can be drawn.
    """
    if not all(_SMALLEST_PX <= side <= _LARGEST_PX for side in size):
        raise UsersMistakeError(f"--image-size is a height and a width of {_SMALLEST_PX} to "
                                f"{_LARGEST_PX} px, not {size[0]} {size[1]}")


def require_device(device: str) -> None:
    """Refuse a place to compute that this machine does not have.

    Raises:
        UsersMistakeError: saying which there are.
    """
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise UsersMistakeError(f"unknown device {device!r}: valid are cpu, cuda")
    if kind == "cpu":
        return
    import torch  # here, because it takes a second that most commands need not wait

    if not torch.cuda.is_available():
        raise UsersMistakeError("this machine has no GPU that torch can use: --device cpu")
    if int(number or 0) >= torch.cuda.device_count():
        raise UsersMistakeError(f"this machine has {torch.cuda.device_count()} GPUs, counted from "
                                f"0, and no {device}")


def require_training(minutes: float | None, steps: int | None, threads: int | None, seed: int,
                     device: str) -> None:
    """Refuse how long, with what and from which chance nobody could train.

    Raises:
        UsersMistakeError: naming the first.
    """
    if minutes is not None and steps is not None:
        raise UsersMistakeError("--minutes and --steps exclude each other: choose one")
    for name, value in (("--minutes", minutes), ("--steps", steps), ("--threads", threads)):
        if value is not None:
            require_finite(name, value, more_than=0)
    require_seed(seed)
    require_device(device)
