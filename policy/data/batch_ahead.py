"""The next batch is made while the network learns from this one.

A thread of its own, because decoding and cropping pictures releases the interpreter's lock; every
question to the lessons goes through it, so lessons need no locks. Knows no network.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

_HELD_OUT = 1 << 32         # no run has so many steps: held-out batches have their own chance


class Lessons(Protocol):
    """Where batches come from; batches.py is the real one.

    They may also have `problems: list[str]`: what `follow` could not take in, a sentence each.
    """

    def batch(self, rng: np.random.Generator, pairs: int) -> Any:
        """Tensors to learn from; a batch has `to(device)`."""
        ...

    def held_out_batch(self, rng: np.random.Generator, pairs: int) -> Any:
        """The same, of episodes that are never learned from; None if there are none."""
        ...

    def follow(self) -> int:
        """Take in what was recorded since; returns how many episodes that were."""
        ...


class BatchAhead:
    """One thread with the lessons; a context manager.

    Args:
        lessons: asked by this thread only.
        seed: batch k is drawn with chance from (seed, k) alone.
        pairs: of frames in a batch.
    """

    def __init__(self, lessons: Lessons, seed: int, pairs: int) -> None:
        self._lessons, self._seed, self._pairs = lessons, seed, pairs
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._next: tuple[int, Future[Any]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._thread.shutdown(cancel_futures=True)

    def take(self, step: int) -> Any:
        """The batch of a step; raises what making it raised."""
        if self._next is None or self._next[0] != step:
            self._next = step, self._thread.submit(self._make, step)
        batch = self._next[1].result()
        self._next = step + 1, self._thread.submit(self._make, step + 1)
        return batch

    def held_out(self, number: int) -> Any:
        """A held-out batch; the same for the same number."""
        rng = np.random.default_rng((self._seed, _HELD_OUT + number))
        return self._thread.submit(self._lessons.held_out_batch, rng, self._pairs).result()

    def ask[T](self, question: Callable[[Any], T]) -> T:
        """The answer to any other question to the lessons, in their thread."""
        return self._thread.submit(question, self._lessons).result()

    def follow(self) -> int:
        """Take in what was recorded since."""
        return self._thread.submit(self._lessons.follow).result()

    def _make(self, step: int) -> Any:
        return self._lessons.batch(np.random.default_rng((self._seed, step)), self._pairs)
