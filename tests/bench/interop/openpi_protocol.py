"""Over openpi's protocol: its own client asks a policy of ours; our arm asks a server.

openpi-client's pins exclude our NumPy, so it is fetched without its needs into a folder of its own;
where that cannot be, the row says so. The policies are what lerobot-train left, and our own: the
run that was given, or one that never learned.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import lerobot_train
from row import RUN, TASK, Row, one_by_one, timed

sys.path.insert(0, str(Path(__file__).parents[2]))
from doubles.random_checkpoint import write_random_run

PACKAGES = ("openpi-client==0.1.2", "msgpack>=1.0.5,<2")
ASKED, SECONDS = 10, 2
_CLIENT = """
import sys, numpy as np
from openpi_client.websocket_client_policy import WebsocketClientPolicy
client = WebsocketClientPolicy("127.0.0.1", int(sys.argv[1]))
spec = client.get_server_metadata()["tandem"]
shape = None
for _ in range(int(sys.argv[2])):
    answer = client.infer({"prompt": "put the red cube in the bin",
        **{f"observation/images/{name}": np.zeros((*spec["picture_size"], 3), np.uint8)
           for name in spec["cameras"]},
        "observation/state": np.zeros(8, np.float32), "observation/base": np.zeros(8)})
    shape = answer["actions"].shape
    assert np.isfinite(answer["actions"]).all()
print(*shape)
"""


def run(work: Path) -> list[Row]:
    """Serve what lerobot-train left and our own policy; ask with openpi's client; drive with ours.
    """
    trained = os.environ.get(RUN, "")
    ours = Path(trained or write_random_run(work / "random-run"))
    return one_by_one(partial(_ask, work),
                      partial(_drive, lerobot_train.trained(work), "ACT"),
                      partial(_drive, ours, "dual system"))


def _ask(work: Path) -> Row:
    packages = work / "openpi"
    fetched = subprocess.run(
        [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--no-deps", "--python",
         sys.executable, "--target", packages, *PACKAGES], capture_output=True, timeout=200)
    with _served(lerobot_train.trained(work)) as address, timed() as asking:
        asked = subprocess.run(
            [sys.executable, "-c", _CLIENT, address.rpartition(":")[2], str(ASKED)],
            env={**os.environ, "PYTHONPATH": str(packages)}, capture_output=True, text=True,
            timeout=200)
    return Row(path="openpi-client 0.1.2 → tandem serve --openpi", rows=ASKED, frames=2 * ASKED,
               seconds=asking.seconds, ok=asked.returncode == 0,
               check=f"actions ({asked.stdout.strip()})" if asked.returncode == 0 else
               "openpi-client cannot be fetched here" if fetched.returncode else
               asked.stderr.strip().splitlines()[-1])


def _drive(policy: Path, what: str) -> Row:
    words = ["--task", TASK, "--max-s", str(SECONDS), "--fast", "--json"]
    with _served(policy) as address, timed() as driving:
        done = subprocess.run([sys.executable, "-m", "studio.cli", "rollout", "--policy", address,
                               *words], capture_output=True, text=True, timeout=300)
    driven = json.loads(done.stdout or "{}")
    calls = driven.get("system1_calls", 0)
    return Row(path=f"tandem rollout → openpi's protocol → {what}", rows=calls, frames=2 * calls,
               seconds=driving.seconds, ok=driven.get("problem") == "" and calls > SECONDS,
               check="chunks from the server, driven" if not driven.get("problem", "?") else
               str(driven.get("problem") or driven.get("error") or done.stderr[-200:]))


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The address at which `tandem serve --openpi` says that it serves."""
    server = subprocess.Popen([sys.executable, "-m", "studio.cli", "serve", folder, "--openpi",
                               "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        said = ""
        for said in server.stderr:
            if "drive with it" in said:
                break
        else:
            raise RuntimeError(f"tandem serve: {said.strip()}")
        yield said.split()[-1]
    finally:
        server.kill()
        server.communicate()
