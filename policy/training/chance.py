"""Where the chance of a training comes from: the seed and the step, and nothing else."""

import numpy as np


def chance_of(seed: int, step: int) -> int:
    """The seed of everything random in one step, well mixed: torch uses only 32 bits of it."""
    return int(np.random.SeedSequence((seed, step)).generate_state(1)[0])
