"""How hard named parts of a MuJoCo model are touched.

For models that carry no touch sensors. Knows contacts; knows no task and no robot.
"""

from collections.abc import Sequence

import mujoco
import numpy as np


class ContactForces:
    """Sums the normal forces on a few geoms.

    Args:
        model: of the data that will be looked at.
        geoms: names of the parts.
    """

    def __init__(self, model: mujoco.MjModel, geoms: Sequence[str]) -> None:
        self._model = model
        self._parts = np.array([model.geom(name).id for name in geoms])
        self._force = np.zeros(6)

    def on_parts(self, data: mujoco.MjData) -> np.ndarray:
        """(T,) N on each part, as of the last step."""
        total = np.zeros(len(self._parts))
        pairs = data.contact.geom[:data.ncon]                                           # (N, 2)
        for contact in np.flatnonzero(np.isin(pairs, self._parts).any(axis=1)):
            mujoco.mj_contactForce(self._model, data, int(contact), self._force)
            total += abs(self._force[0]) * np.isin(self._parts, pairs[contact])
        return total
