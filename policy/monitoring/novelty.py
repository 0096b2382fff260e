"""How unlike a latent of System 2 is to those of successes: the Mahalanobis distance.

A latent is first made short by a fixed random projection (`signature`), so that it can be recorded
with every chunk and the distance costs microseconds. Knows numbers; knows no network.

Letters: G numbers of a signature.
"""

from functools import lru_cache

import msgspec
import numpy as np

SIGNATURE = 16              # G
SHRINKAGE = 0.1             # of the covariance towards a round one


class Familiar(msgspec.Struct, frozen=True):
    """What signatures of successes are like.

    Attributes:
        centre: G numbers.
        whitening: G rows of G numbers: the root of the inverse covariance.
    """

    centre: list[float]
    whitening: list[list[float]]

    def distance(self, signature: np.ndarray) -> float:
        """Of a signature (G,), about sqrt(G) for a usual one."""
        away = np.asarray(self.whitening) @ (signature - np.asarray(self.centre))
        return float(np.linalg.norm(away))


def signature(latents: np.ndarray) -> np.ndarray:
    """(G,) f4 of latents of any shape; the same for the same numbers on every machine."""
    flat = np.asarray(latents, dtype=np.float64).ravel()
    return (_projection(len(flat)) @ flat).astype(np.float32)


def fit_familiar(signatures: np.ndarray) -> Familiar:
    """Of signatures (N, G) of successes.

    Raises:
        ValueError: there are fewer than twice as many as a signature has numbers.
    """
    if len(signatures) < 2 * SIGNATURE:
        raise ValueError(f"{len(signatures)} latents are too few to say what is usual: "
                         f"{2 * SIGNATURE} are needed")
    centre = signatures.mean(axis=0)
    covariance = np.cov(signatures.astype(np.float64), rowvar=False)
    round_one = np.eye(SIGNATURE) * np.trace(covariance) / SIGNATURE
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * round_one
    values, vectors = np.linalg.eigh(covariance)
    whitening = (vectors / np.sqrt(np.maximum(values, 1e-12))) @ vectors.T
    return Familiar(centre.astype(float).tolist(), whitening.tolist())


@lru_cache(maxsize=4)
def _projection(numbers: int) -> np.ndarray:
    """(G, numbers), each row about of length one."""
    rng = np.random.default_rng(numbers)
    return rng.standard_normal((SIGNATURE, numbers)) / np.sqrt(numbers)
