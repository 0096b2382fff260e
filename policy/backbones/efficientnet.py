"""What a picture shows and where, from a small pretrained network that stays as it is.

EfficientNet-Lite0 (Tan and Le, arXiv 1905.11946, without squeeze-and-excitation and with ReLU6),
trained on ImageNet, up to its last map of 16-pixel cells: what comes behind knows little more and
no longer where. Batch norms are folded into the convolutions. Knows its package; knows no policy.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policy.backbones.lite_file import kernel_of, read_lite
from policy.backbones.lora import freeze
from policy.backbones.packages import EFFICIENTNET, locate

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)      # of ImageNet's pictures
CELL, CHANNELS, STEM, EPSILON = 16, 112, 32, 1e-3
# (repeats, kernel, stride, expansion, channels) of each stage.
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112))


class Convolution(nn.Conv2d):
    """A convolution whose answer has 1 / stride of its pixels, as TensorFlow pads it."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1
                 ) -> None:
        super().__init__(channels, out, kernel, stride, groups=groups)
        before = (kernel - stride) // 2
        self.around = (before, kernel - stride - before) * 2 if kernel > 1 else None

    def forward(self, input: Tensor) -> Tensor:
        """(B, channels, h, w), multiples of the stride, to (B, out, h / stride, w / stride)."""
        return super().forward(F.pad(input, self.around) if self.around else input)


class Bottleneck(nn.Module):
    """Wider, a look at the neighbours, narrower; added to what came in where both are alike."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.widen = Convolution(channels, wide, 1) if expansion > 1 else None
        self.look = Convolution(wide, wide, kernel, stride, groups=wide)
        self.narrow = Convolution(wide, out, 1)
        self.added = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, out, h / stride, w / stride)."""
        wide = F.relu6(self.widen(x)) if self.widen else x
        narrow = self.narrow(F.relu6(self.look(wide)))
        return x + narrow if self.added else narrow

    def fill(self, weights: dict[str, Tensor], prefix: str) -> None:
        """Take the weights of the block whose names begin so."""
        if self.widen is not None:
            _fold(self.widen, weights, f"{prefix}_expand_conv", f"{prefix}_bn0")
        _fold(self.look, weights, f"{prefix}_depthwise_conv", f"{prefix}_bn1")
        _fold(self.narrow, weights, f"{prefix}_project_conv", f"{prefix}_bn2")


class EfficientNetLite(nn.Module):
    """The network up to cells of 16 pixels; random and trainable until `pretrained`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, STEM, 3, 2)
        blocks: list[Bottleneck] = []
        channels = STEM
        for repeats, kernel, stride, expansion, out in STAGES:
            for number in range(repeats):
                blocks.append(Bottleneck(channels, out, kernel, 1 if number else stride,
                                         expansion))
                channels = out
        self.body = nn.Sequential(*blocks)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None],
                             persistent=False)

    @classmethod
    def pretrained(cls) -> "EfficientNetLite":
        """From its package, frozen.

        Raises:
            MissingPackage: if it is not installed.
            ValueError: if the package holds something else.
        """
        weights = read_lite(locate(EFFICIENTNET))
        network = cls()
        _fold(network.stem, weights, "_conv_stem", "_bn0")
        for number, block in enumerate(network.body):
            assert isinstance(block, Bottleneck)
            block.fill(weights, f"_blocks.{number}.")
        freeze(network)
        return network.eval()

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, height, width) in 0..1, multiples of 16, to (B, 112, height / 16, width / 16)."""
        x = (pictures - self.get_buffer("mean")) / self.get_buffer("deviation")
        return self.body(F.relu6(self.stem(x)))


def _fold(layer: Convolution, weights: dict[str, Tensor], convolution: str, norm: str) -> None:
    """A convolution and the batch norm behind it into one convolution with a bias."""
    scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + EPSILON).sqrt()
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    weight = kernel_of(weights[f"{convolution}.weight"], layer.weight.shape)
    layer.load_state_dict({"weight": weight * scale[:, None, None, None], "bias": bias})
