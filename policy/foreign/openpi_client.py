"""A policy that somebody serves by openpi's protocol, behind our `Policy` protocol.

A websocket: the server speaks first and says what it is; then every observation gets one answer.
The key, if the server wants one, stands in TANDEM_OPENPI_KEY. Whoever is sent pictures and whose
numbers move an arm is chosen by the person at the robot; what comes is read as plain numbers only,
and the station's safety layer treats it as any other policy's. Knows sockets; knows no robot.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Self

import msgspec
import numpy as np
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import ClientConnection, connect

from policy.errors import CheckpointError
from policy.foreign.action_forms import FORMS, targets
from policy.foreign.openpi_names import (
    ACTIONS,
    PRESETS,
    PROMPT,
    SIDE,
    USUAL,
    message_of,
    ours_of,
    squared,
    wanted_of,
)
from policy.foreign.openpi_wire import WireMistake, pack, unpack
from policy.foreign.policy_map import PolicyMap
from policy.foreign.states import Felt
from policy.interfaces import Chunk, Held, Latent, Observation, PolicySpec
from policy.peers.one_speed import OneSpeed
from recorders.streams import StreamSpec

KEY = "TANDEM_OPENPI_KEY"
OPEN_S, FIRST_S, ANSWER_S = 10.0, 170.0, 10.0    # the first answer may compile a network
MOST_BYTES = 1 << 26
_BLANK_TOOL = (0.4, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
_BLANK_JOINTS = 8
_ASPECT = (3, 4)


class Server:
    """A connection to a server.

    Attributes:
        metadata: what it said first.

    Raises:
        CheckpointError: nobody serves there, or it refuses us; says what to do.
    """

    def __init__(self, address: str) -> None:
        self.address, self._open = address, ExitStack()
        key = os.environ.get(KEY)
        headers = {"Authorization": f"Api-Key {key}"} if key else None
        try:
            self._socket: ClientConnection = self._open.enter_context(connect(
                address, compression=None, max_size=MOST_BYTES, open_timeout=OPEN_S,
                additional_headers=headers))
            self.metadata = unpack(self._bytes(OPEN_S))
        except InvalidHandshake as error:
            raise CheckpointError(f"{address} refuses us ({error}): if it wants a key, put that "
                                  f"into {KEY}") from error
        except WireMistake as error:
            self.close()
            raise CheckpointError(f"{address} serves no policy to us: {error}") from error
        except (OSError, WebSocketException, ValueError) as error:
            raise CheckpointError(f"nobody serves a policy by openpi's protocol at {address} "
                                  f"({error}): start it, or check host and port") from error

    def ask(self, message: dict[str, Any], timeout_s: float) -> np.ndarray:
        """(H, A) what it answers.

        Raises:
            CheckpointError: it says no, falls silent, or answers with something else.
        """
        try:
            self._socket.send(pack(message))
            answer = unpack(self._bytes(timeout_s))
        except (OSError, WebSocketException, WireMistake) as error:
            raise CheckpointError(f"{self.address} gave no answer: {_one_line(error)}") from error
        actions = answer.get(ACTIONS)
        if not isinstance(actions, np.ndarray) or actions.ndim != 2:
            raise CheckpointError(f"{self.address} answered without (H, A) {ACTIONS}: it sent "
                                  f"{', '.join(map(str, answer)) or 'nothing'}")
        return actions

    def close(self) -> None:
        """Leave."""
        self._open.close()

    def _bytes(self, timeout_s: float) -> bytes:
        data = self._socket.recv(timeout=timeout_s)
        if isinstance(data, str):
            raise WireMistake(f"it says {_one_line(data)}")
        return data


class ServedPolicy(OneSpeed):
    """Drives with a server's answers; see `policy.interfaces.Policy`."""

    def __init__(self, server: Server, spec: PolicySpec, wishes: PolicyMap | None,
                 width: int = 0) -> None:
        super().__init__(spec, 0)
        self._server, self._wishes, self._width = server, wishes, width
        self._wanted = wanted_of(wishes.fields if wishes else {})
        self._felt = Felt(tuple(self._wanted.states.values()))
        self._episode = self._seed = 0

    @classmethod
    def open(cls, address: str, wishes: Sequence[str] = ()) -> Self:
        """Connect, and learn how long its chunks are.

        Args:
            address: ws://HOST:PORT.
            wishes: pairs of `--policy-map`, or the name of a preset.

        Raises:
            CheckpointError: nobody serves there, or what it wants is not said.
        """
        given = PolicyMap.parse(wishes, PRESETS)
        server = Server(address)
        try:
            return cls._agreed(server, given, wishes)
        except CheckpointError:
            server.close()
            raise

    @classmethod
    def _agreed(cls, server: Server, given: PolicyMap, wishes: Sequence[str]) -> Self:
        address = server.address
        if (spec := ours_of(server.metadata)) is not None:
            if wishes:
                raise CheckpointError(f"{address} is one of ours and says itself what it wants: "
                                      "leave --policy-map away")
            return cls(server, spec, None)
        if not given.fields or not given.action:
            given = PolicyMap.parse([USUAL, *wishes], PRESETS)
        wanted = wanted_of(given.fields)
        if not wanted.cameras:
            raise CheckpointError(f"{address} would be sent no picture: say which camera is which, "
                                  "as --policy-map observation/image=front")
        up, across = _ASPECT
        spec = PolicySpec(
            cameras=dict.fromkeys(wanted.cameras.values(), "rgb"),
            picture_size=(SIDE * up // across, SIDE),
            proprioception=Felt(tuple(wanted.states.values())).parts,
            action_space=FORMS[given.action].space, step_s=1 / (given.rate_hz or 30.0))
        blind = cls(server, spec, given)
        steps, width = server.ask(blind._message(_blank(spec)), FIRST_S).shape
        return cls(server, msgspec.structs.replace(spec, steps=steps), given, width)

    def misfits(self, robot: str, joint_names: Sequence[str], streams: Sequence[StreamSpec]
                ) -> list[str]:
        """See `policy.interfaces.Choosy`."""
        there = [spec.name for spec in streams if any(i.name == "rgb" for i in spec.images)]
        found = [f"{name} would be camera '{camera}', but {robot} has {', '.join(there) or 'none'}:"
                 f" --policy-map {name}={next(iter(there), 'CAMERA')}"
                 for name, camera in self._wanted.cameras.items() if camera not in there]
        action = self._wishes.action if self._wishes else ""
        wanted = (FORMS[action].width or len(joint_names)) if action else self._width
        if wanted != self._width:
            found.append(f"it answers with {self._width} numbers a step, but '{action}' means "
                         f"{wanted} for {robot}: --policy-map action=…, one of {', '.join(FORMS)}")
        return found

    def reset(self, seed: int = 0) -> None:
        """A new episode; a server of somebody else is not told, as openpi's protocol has it."""
        self._episode, self._seed = self._episode + 1, seed

    def close(self) -> None:
        """Leave the server to others."""
        self._server.close()

    def act(self, observation: Observation, latent: Latent, held: Held | None = None) -> Chunk:
        """What the server answers to what is seen and felt now."""
        rows = self._server.ask(self._message(observation), ANSWER_S)
        wanted = self.spec.steps, self._width or observation.base.size
        if rows.shape != wanted:
            raise CheckpointError(f"{self._server.address} answered with {rows.shape} numbers, not "
                                  f"with {wanted} as before: begin anew if it serves another "
                                  "policy now")
        if self._wishes is None:
            found = rows.astype(np.float64)
        else:
            found = targets(self._wishes.action, rows, observation.base)
        return self.chunk(found, observation, latent, held)

    def _message(self, observation: Observation) -> dict[str, Any]:
        if self._wishes is None:
            return message_of(observation, self._episode, self._seed)
        pictures = {name: squared(observation.images[camera])
                    for name, camera in self._wanted.cameras.items()}
        numbers = {name: self._felt.numbers(form, observation.proprioception)
                   for name, form in self._wanted.states.items()}
        return {**pictures, **numbers, PROMPT: observation.instruction}


def _blank(spec: PolicySpec) -> Observation:
    """Of a robot with seven joints, all black."""
    widths = {"tool": _BLANK_TOOL, "gripper": (1.0, 1.0), "lag": (0.0,) * 3}
    felt = [np.array(widths.get(part, (0.0,) * _BLANK_JOINTS)) for part in spec.proprioception]
    return Observation(
        stamp_ns=0, base=np.zeros(8), instruction="",
        images={camera: np.zeros((*spec.picture_size, 3), np.uint8) for camera in spec.cameras},
        proprioception=np.concatenate(felt or [np.zeros(0)]).astype(np.float32))


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[-300:]
