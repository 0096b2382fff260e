"""Figures that others published, and the prototype's, printed beside ours and marked as theirs.

Other robots, tasks and machines: they show which way a change went there, no more.
"""

import msgspec


class Published(msgspec.Struct, frozen=True):
    """A figure that is not ours: what, how much, and whose."""

    what: str
    figure: str
    whose: str


_FIS, _DUO, _OURS = "FiS-VLA", "DuoCore-FS", "prototype"
SOURCES = {
    _FIS: "arXiv 2506.01953; ten RLBench tasks, 20 rollouts three times each, RTX 4090",
    _DUO: "arXiv 2512.20188; a real robot",
    _OURS: "our own, thrown away; another arm at 30 Hz, one training seed, 282 demonstrations, "
           "one thread beside another job"}

PUBLISHED: dict[str, tuple[Published, ...]] = {
    "competence": (
        Published("cube in bin, one-rate vision policy, 3.5 min", "92/96", _OURS),
        Published("cube in bin, dual system, 6 min more", "95/96", _OURS),
        Published("cube in bin, dual system from scratch, 6 min", "90/96", _OURS),
        Published("cube in bin, knowing where cubes are", "95/96", _OURS),
        Published("button, by the policy for both tasks", "73/96", _OURS)),
    "asynchrony": (
        Published("1:4, of 1:1 to 1:8", "the best", _FIS),
        Published("1:1, 1:4, 1:16, once", "92, 93, 95, 94 of 96", _OURS),
        Published("drifting cube: 1:1, 1:16, once", "96, 94, 95 of 96", _OURS),
        Published("no edit", "94/96", _OURS),
        Published("edit at 10 cm, flush, System 2 at once", "80/96", _OURS),
        Published("edit at 10 cm, System 2 in its turn", "21/96", _OURS)),
    "ablations": (
        Published("shared blocks from 1 to 2", "better, then no more", _FIS),
        Published("System 1 sees latents, + state, + picture, + cloud", "each better", _FIS),
        Published("whole, and without System 2's loss", "0.69, 0.62", _FIS),
        Published("System 2 says words, or discrete actions", "0.73, 0.69", _FIS),
        Published("latents zeroed, code kept", "87/96 of 95/96", _OURS),
        Published("direct head on the same seeds", "95/96 of 95/96", _OURS),
        Published("one flow step", "96/96 of 95/96", _OURS)),
    "language": (
        Published("asked colour, among cubes that were put into the bin", "469/469", _OURS),
        Published("the cabinet that was asked for", "42.9 %, pi0 14.3 %", _DUO)),
    "rates": (
        Published("FiS-VLA's 117.7 Hz: actions of chunks of 8, so 14.7 calls/s", "14.7 calls/s",
                  _FIS),
        Published("whole policy, chunk 1", "21.9 Hz", _FIS),
        Published("fast system", "32.3 calls/s", _DUO),
        Published("System 1 with four flow steps, one thread", "175 calls/s", _OURS)),
}
