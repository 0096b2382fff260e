"""The weights of EfficientNet-Lite0 out of their package's file, as bytes and nothing more.

The file is of PyTorch's kind before version 1.6: an index that is a pickle, then each tensor's
numbers behind their count. A pickle can run code, so it is not unpickled: the index is only looked
through for its texts, which name each tensor with its label and then all labels in the order in
which the numbers lie. That this is enough, and where the numbers begin, are facts of one file,
which whoever locates it has compared with its SHA-256. Knows that file; knows no network.
"""

import re
from pathlib import Path

import torch
from torch import Tensor

NUMBERS = 47_176                # byte at which the first count lies, right behind the index
TEXT = re.compile(rb"X(.)\0\0\0", re.DOTALL)        # before a text: a mark and its length
COUNTER = "num_batches_tracked"                     # tensors of these names are int64, not float32


def read_lite(path: Path) -> dict[str, Tensor]:
    """Every tensor by its name, flat: one number behind the other as the file has them.

    Kernels lie as TensorFlow had them, see `kernel_of`.

    Raises:
        ValueError: if the file ends elsewhere than with its last tensor.
    """
    data = bytearray(path.read_bytes())
    texts = [data[found.end():found.end() + found[1][0]].decode()
             for found in TEXT.finditer(data, 0, NUMBERS)]
    labels = [text for text in texts if text.isdigit()]
    of_tensors, as_they_lie = labels[:len(labels) // 2], labels[len(labels) // 2:]
    names = dict(zip(of_tensors, (text for text in texts if text.endswith(
        ("weight", "bias", "running_mean", "running_var", COUNTER))), strict=True))
    tensors, at = {}, NUMBERS
    for label in as_they_lie:
        kind = torch.int64 if names[label].endswith(COUNTER) else torch.float32
        count = int.from_bytes(data[at:at + 8], "little")
        tensors[names[label]] = torch.frombuffer(data, dtype=kind, count=count, offset=at + 8)
        at += 8 + count * kind.itemsize
    if at != len(data):
        raise ValueError(f"{path.name} has {len(data)} bytes, not the {at} of its tensors")
    return tensors


def kernel_of(numbers: Tensor, shape: torch.Size) -> Tensor:
    """A convolution's weights as PyTorch wants them.

    Args:
        numbers: flat, in TensorFlow's order: rows, columns, channels in, channels out.
        shape: (out, in, rows, columns) of the convolution.
    """
    out, into, rows, columns = shape
    return numbers.view(rows, columns, into, out).permute(3, 2, 0, 1)
