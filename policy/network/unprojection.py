"""From a place in the picture of a camera that stands still to one in the world.

What an eye learns and where its picture lies in the world depend on each other; learned together by
gradients, neither begins (Adam moves an offset by its rate and no more). But for a given eye the
best map is a least-squares problem. So it is solved in every training step, over a running mean of
the moments, and gradients pass through the solution (variable projection, Golub and Pereyra 1973).
A pinhole's map of a table is a homography; over a table it is well met by a quadratic.

Letters: B batch, F features of a place: 1, x, y and their products.
"""

import torch
from torch import Tensor, nn

FEATURES = 6
KEPT = 0.8                  # of the past moments in every step; a step has about a hundred frames
RIDGE = 1e-4


class Unprojection(nn.Module):
    """Places in a picture to places in the world.

    Args:
        dimensions: of the latter.
    """

    moments: Tensor
    answers: Tensor
    solution: Tensor

    def __init__(self, dimensions: int = 3) -> None:
        super().__init__()
        self.register_buffer("moments", RIDGE * torch.eye(FEATURES, dtype=torch.float64))
        self.register_buffer("answers", torch.zeros(FEATURES, dimensions, dtype=torch.float64))
        self.register_buffer("solution", torch.zeros(FEATURES, dimensions))

    def forward(self, place: Tensor, truth: Tensor | None = None, weight: Tensor | None = None
                ) -> Tensor:
        """Where that is.

        Args:
            place: (B, 2) x and y, -1..1.
            truth: (B, dimensions) where it truly is; in training the map is fitted to it.
            weight: (B,) how much each row counts; some may be 0.
        """
        x, y = place.float().unbind(1)
        features = torch.stack([torch.ones_like(x), x, y, x * y, x * x, y * y], 1)
        if not self.training or truth is None or weight is None or not weight.any():
            return features @ self.solution
        exact, share = features.double(), (weight / weight.sum()).double()[:, None]
        moments = torch.lerp((exact * share).T @ exact, self.moments, KEPT)
        answers = torch.lerp((exact * share).T @ truth.double(), self.answers, KEPT)
        ridge = RIDGE * torch.eye(FEATURES, dtype=exact.dtype, device=exact.device)
        solution = torch.linalg.solve(moments + ridge, answers).float()
        for kept, new in ((self.moments, moments), (self.answers, answers),
                          (self.solution, solution)):
            kept.copy_(new.detach())
        return features @ solution
