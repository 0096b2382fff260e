"""The parent's side of `device_process`: a teleoperator that lives in another process."""

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from studio.devices.interfaces import DeviceError, DeviceStatus, HumanInput

ROOT = Path(__file__).resolve().parents[2]


class RemoteDevice:
    """Passes every call on."""

    name = "spacemouse"

    def __init__(self, library: Path, plugged: Path, **options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("device_process.py"), json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LD_LIBRARY_PATH": str(library),
                 "FAKEHID_DIR": str(plugged)})

    def call(self, *message: Any) -> Any:
        self.ask(*message)
        return self.answer()

    def ask(self, *message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the device's process has ended; see its output above")
        answer = json.loads(line)
        if "error" in answer:
            raise DeviceError(answer["error"])
        return answer["value"]

    def end(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    @property
    def action_features(self) -> dict[str, Any]:
        return self._features("action_features")

    @property
    def feedback_features(self) -> dict[str, Any]:
        return self._features("feedback_features")

    def _features(self, which: str) -> dict[str, Any]:
        return {key: getattr(builtins, kind) for key, kind in self.call(which).items()}

    @property
    def is_connected(self) -> bool:
        return self.call("is_connected")

    @property
    def fault(self) -> str:
        return self.call("fault")

    def connect(self) -> None:
        self.call("connect")

    def disconnect(self) -> None:
        self.call("disconnect")

    def read(self) -> HumanInput:
        said = self.call("read")
        said["status"] = DeviceStatus(said["status"])
        said["raw"], said["twist"] = np.array(said["raw"]), np.array(said["twist"])
        return HumanInput(**said)

    def get_action(self) -> dict[str, Any]:
        return self.call("get_action")

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        self.call("send_feedback", feedback)
