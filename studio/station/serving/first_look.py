"""What a policy that is about to drive thinks first, while another one still does.

Its System 2 looks at the newest picture, piece by piece, so that System 1 need not wait for a
latent when it takes over: between the two no answer is missing. A picture of another scene, or of
other words, makes it begin anew. Knows policies and observations; knows no time.
"""

from collections.abc import Iterator

from policy.interfaces import Latent, Policy
from studio.station.serving.policy_feed import Shown


class FirstLook:
    """A policy on its way.

    Args:
        policy: warmed up; called by nobody else.
        name: for the operator.

    Attributes:
        latent: that it takes over with, once it has looked.
    """

    def __init__(self, policy: Policy, name: str) -> None:
        self.policy, self.name = policy, name
        self.latent: Latent | None = None
        self._of: tuple[int, int] | None = None         # scene and words
        self._pieces: Iterator[Latent | None] = iter(())

    def piece(self, shown: Shown) -> None:
        """Think one piece; of another scene or other words, the first one.

        Args:
            shown: the newest.
        """
        of = shown.scene, shown.observation.instruction_id
        if of != self._of:
            self._of, self.latent = of, None
            self.policy.reset(shown.seed)
            self._pieces = self._thought(shown)
        if self.latent is None:
            self.latent = next(self._pieces)

    def fits(self, shown: Shown) -> bool:
        """Whether its latent is of that scene and those words."""
        return self.latent is not None \
            and self._of == (shown.scene, shown.observation.instruction_id)

    def _thought(self, shown: Shown) -> Iterator[Latent | None]:
        slices = getattr(self.policy, "think_slices", None)
        if slices is not None:
            return slices(shown.observation)
        return iter([self.policy.think(shown.observation)])
