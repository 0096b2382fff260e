"""Pictures and cameras for benchmarks: footage like a table seen by a lab camera, at a strict rate.

The footage is made before any clock starts: a textured ground that a camera sways over, a few
objects that move across it, and the noise of a sensor, because noise is what a codec pays for. A
camera is a thread that hands out a fresh copy of the next picture every 1/30 s, as a driver does.
"""

import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from recorders.clock import NS_PER_S, SystemClock

WIDTH, HEIGHT, FPS = 640, 480, 30
LOOP_PICTURES = 90          # three seconds, then again: it is the codecs that are measured
NOISE = 2.0                 # of 255, one standard deviation: a lit room

# Takes a picture, its number and its stamp in ns.
Work = Callable[[np.ndarray, int, int], object]


def footage(seed: int) -> np.ndarray:
    """(LOOP_PICTURES, HEIGHT, WIDTH, 3) u1."""
    rng = np.random.default_rng(seed)
    margin = 64
    ground = np.full((HEIGHT + margin, WIDTH + margin, 3), 120, np.float32)
    for cell, strength in ((96, 50), (24, 18), (6, 9), (2, 4)):     # rough shapes to fine grain
        ground += strength * _smooth_noise(rng, ground.shape[0], ground.shape[1], cell)
    boxes = [(rng.integers(40, 90), rng.uniform(30, 230, 3), rng.uniform(0, 6)) for _ in range(5)]
    grain = rng.normal(0, NOISE, (8, HEIGHT, WIDTH, 3)).astype(np.float32)
    film = np.empty((LOOP_PICTURES, HEIGHT, WIDTH, 3), np.uint8)
    for number in range(LOOP_PICTURES):
        turn = 2 * np.pi * number / LOOP_PICTURES
        x, y = (int(margin / 2 * (1 + np.sin(turn + shift))) for shift in (0.0, 1.3))
        view = ground[y:y + HEIGHT, x:x + WIDTH] + grain[rng.integers(8)]
        for side, colour, phase in boxes:
            left = int((WIDTH - side) * (0.5 + 0.5 * np.sin(turn + phase)))
            top = int((HEIGHT - side) * (0.5 + 0.5 * np.cos(turn + 2 * phase)))
            view[top:top + side, left:left + side] = (
                0.2 * view[top:top + side, left:left + side] + 0.8 * colour)
        film[number] = np.clip(view, 0, 255)
    return film


def _smooth_noise(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray:
    """(height, width, 3), about -1..1, that changes over `cell` pixels."""
    coarse = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
    return _stretched(_stretched(coarse, cell, 0)[:height], cell, 1)[:, :width]


def _stretched(values: np.ndarray, factor: int, axis: int) -> np.ndarray:
    """Linear interpolation along an axis."""
    places = np.arange((values.shape[axis] - 1) * factor) / factor
    left = places.astype(int)
    shape = [1] * values.ndim
    shape[axis] = -1
    weight = (places - left).astype(np.float32).reshape(shape)
    return values.take(left, axis) * (1 - weight) + values.take(left + 1, axis) * weight


class Camera:
    """A thread that captures at k/FPS and does `work` on each picture there.

    Args:
        film: what it sees, over and over.
        work: what is done in the camera's thread: encoding, or nothing.
        newest_only: keep one picture for the reader, as LeRobot's cameras do, instead of all.

    Attributes:
        skipped: captures that were due while the thread was still busy with the one before.
    """

    def __init__(self, film: np.ndarray, work: Work, *,
                 newest_only: bool) -> None:
        self._film, self._work = film, work
        self._waiting: deque[object] = deque(maxlen=1 if newest_only else None)
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self.skipped = 0

    def start(self, start_ns: int, pictures: int) -> None:
        """Begin: capture number k is due at start_ns + k/FPS."""
        self._start_ns, self._pictures = start_ns, pictures
        self._thread.start()

    def take(self) -> list[object]:
        """What `work` made of every picture that waits, oldest first."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def join(self) -> None:
        """Wait for the last picture."""
        self._thread.join()

    def _run(self) -> None:
        clock, number = SystemClock(), 0
        while number < self._pictures:
            clock.wait_until(self._start_ns + number * NS_PER_S // FPS)
            stamp_ns = clock.now_ns()
            picture = self._film[number % len(self._film)].copy()
            self._waiting.append(self._work(picture, number, stamp_ns))
            due = (clock.now_ns() - self._start_ns) * FPS // NS_PER_S
            self.skipped += max(0, min(due, self._pictures - 1) - number)
            number = max(number + 1, due)
