"""All trainings that the tables need: of what, for how long, with which changes."""

from collections.abc import Sequence

from experiments.data import FEWER, FIVE, REASONING
from experiments.definitions import Kind, Training

# What a change does shows before all have learned all: after ten minutes most get 96 of 96.
FULL_MINUTES, ABLATED_MINUTES, SHARED_MINUTES, SAMPLE_MINUTES = 10.0, 5.0, 25.0, 2.0

PEERS: tuple[Kind, ...] = ("act", "diffusion", "mlp", "mlp-state")
EARLIER = (2.0, ABLATED_MINUTES)        # for the learning curve
ABLATED: dict[str, tuple[str, tuple[str, ...]]] = {
    "shared-0": ("K = 0: System 1 has blocks of its own", ("dual.shared=0",)),
    "shared-1": ("K = 1 shared block", ("dual.shared=1",)),
    "shared-4": ("K = 4: all blocks, and System 2 has none of its own", ("dual.shared=4",)),
    "shared-4-of-6": ("K = 4 shared blocks of 6",
                      ("dual.shared=4", 'dual.backbone_options={"blocks":6}')),
    "latents-0": ("no latents: only the words cross", ("dual.latents=0",)),
    "latents-8": ("8 latents", ("dual.latents=8",)),
    "latents-16": ("16 latents", ("dual.latents=16",)),
    "latents-32": ("32 latents", ("dual.latents=32",)),
    "pooled": ("latents are the mean of System 2's tokens", ("dual.pooled=true",)),
    "instruction-code": ("System 1 hears the instruction itself (DuoCore's variant)",
                         ("dual.code=instruction",)),
    # With none at all System 2 is unsure of every word, and the arm holds as it must. Its own
    # words are learned from a loss of any weight (Adam), the shared blocks from its share.
    "quiet-system-2": ("as above, and System 2's losses weigh a 300th",
                       ("dual.code=instruction", "dual.speech_weight=0.001",
                        "dual.event_weight=0.001")),
    "no-cloud": ("no point cloud", ("spec.cloud_points=0",)),
    "no-fast-eye": ("no fast eye: the point cloud and what System 2 left",
                    ("dual.fast_eye=false",)),
    "no-sight": ("System 1 sees nothing but what System 2 left",
                 ("dual.fast_eye=false", "spec.cloud_points=0")),
    "lag": ("how far the arm lags behind its command among proprioception",
            ('spec.proprioception=["tool","gripper","lag","touch"]',)),
}
# Those that are asked again of a task in which System 2 decides, as one cube in a bin does not.
DECIDED, DECIDING = "bin-in-order", (
    "shared-0", "shared-1", "shared-4-of-6", "latents-0", "latents-16", "pooled", "no-cloud",
    "no-fast-eye")
LOST: dict[str, tuple[str, tuple[str, ...]]] = {
    "system-2": ("with System 2", ()),
    "found": ("with System 2, which reads where the eye finds each thing", ("dual.finds=true",)),
    "instruction": ("System 1 hears the instruction, and has the latents",
                    ("dual.code=instruction",)),
    "nothing": ("System 1 hears the instruction, and has no latents",
                ("dual.code=instruction", "dual.latents=0")),
}


def dual(name: str, stores: Sequence[str], minutes: float = FULL_MINUTES, *settings: str,
         kind: Kind = "dual", config: str = "compact") -> Training:
    """A training by its name, stores, minutes and `--set` words."""
    return Training(name=name, stores=tuple(stores), minutes=minutes, kind=kind, config=config,
                    settings=settings)


def trainings() -> list[Training]:
    """Each by a name of its own; what a row needs is trained on request."""
    return [
        *(dual(name, [name]) for name in FIVE),
        dual("shared", list(FIVE), SHARED_MINUTES),
        *(dual(f"bin-{minutes:g}min", ["bin"], minutes) for minutes in EARLIER),
        *(dual(f"bin-{number}demos", [f"bin-{number}"]) for number in FEWER),
        *(dual(f"bin-{kind}", ["bin"], kind=kind) for kind in PEERS),
        dual("bin-pictures", ["bin"], FULL_MINUTES, "spec.cloud_points=0"),
        dual("varied", ["bin", "bin-edits", "bin-bumps"]),
        dual("varied-fresh", ["bin", "bin-edits", "bin-bumps"], FULL_MINUTES,
             "dual.max_age_steps=0"),
        dual("smollm2", ["bin", "bin-edits", "bin-bumps"], SHARED_MINUTES, config="smollm2"),
        dual("styles", ["bin-styles"]),
        dual("unseen", ["bin-no-green", "stack"], SHARED_MINUTES),
        *(dual(f"bin-{name}", ["bin"], ABLATED_MINUTES, *settings)
          for name, (_, settings) in ABLATED.items()),
        *(dual(f"{DECIDED}-{name}", [DECIDED], FULL_MINUTES, *ABLATED[name][1])
          for name in DECIDING),
        *(dual(f"{task}-{name}", [task], FULL_MINUTES, *settings)
          for task in REASONING for name, (_, settings) in LOST.items()),
        dual("quick-button", ["quick-button"], SAMPLE_MINUTES),
        dual("quick-button-apart", ["quick-button"], SAMPLE_MINUTES, "dual.shared=0"),
        dual("quick-place", ["quick-place"], SAMPLE_MINUTES),
    ]
