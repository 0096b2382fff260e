"""The numbers of a dual-system policy; part of every checkpoint.

Knows no files and no training; what a policy sees and how it answers stands in PolicySpec.
"""

from typing import Any, Literal

import msgspec

CodeSource = Literal["phrase", "instruction"]


class DualConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Shape and losses of a `DualSystem`."""

    backbone: str = "compact"
    """Name of the transformer (policy/backbones/registry.py)."""
    backbone_options: dict[str, Any] = {}
    """For its builder: width, blocks, a local path, ..."""
    shared: int = 2
    """K: how many of the last blocks are System 1. 0: System 1 has K blocks of its own."""
    latents: int = 6
    """Q: tokens that cross from System 2 to System 1. 0: only the look-for code crosses."""
    pooled: bool = False
    """Cross with the mean of System 2's tokens in place of learned latents."""
    finds: bool = False
    """System 2 reads where the eye finds each thing that it can speak of, and points at one."""
    code: CodeSource = "phrase"
    """What System 1 looks for is made from the sub-task that System 2 says, or, for comparison
    (DuoCore's variant), from the instruction itself."""
    code_width: int = 32
    code_words: int = 8
    """The code reads this many words; a longer phrase is cut."""
    fast_eye: bool = True
    """Without it System 1 sees nothing but what System 2 left."""
    action_tokens: int = 4
    """A chunk goes through System 1 as this many tokens."""
    flow_steps: int = 4
    """Euler steps from noise to a chunk; 0: the direct head answers."""
    flow_draws: int = 4
    """Noise levels per sample and training step: the eye is dearer than the flow."""
    flow_power: float = 1.5
    """Times are u^power: more of them near the noise, where the context decides."""
    held_share: float = 0.3
    """Share of draws in which a prefix or some entries of the chunk are held clean."""
    latent_dropout: float = 0.1
    word_dropout: float = 0.05
    max_age_steps: int = 64
    """System 2's frame is up to this many steps older than System 1's in training; 0: never."""
    direct_weight: float = 0.5
    target_weight: float = 2.0
    speech_weight: float = 0.3
    event_weight: float = 0.3
