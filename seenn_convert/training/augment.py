"""More of the same from few pictures: each is moved a little, and mirrored half the time where that makes sense."""

import torch
from torch import Tensor, nn

SMALLEST_SIDE = 16
"""Pictures with a shorter side stay as they are."""

FARTHEST = 8
"""A picture moves by at most its side divided by this."""


def augmented(images: Tensor, generator: torch.Generator, mirror: bool) -> Tensor:
    """Return pictures ``(B, C, H, W)``, each moved by itself; anything else as it is. What comes in from outside is 0.

    All frames of a recording ``(B, N, C, H, W)`` move alike.

    Source: He et al. 2016 (random crops of padded images).
    """
    if images.dim() == 5:
        return augmented(images.flatten(1, 2), generator, mirror).reshape(images.shape)
    if images.dim() != 4 or min(images.shape[2:]) < SMALLEST_SIDE:
        return images
    count, _, height, width = images.shape
    most = min(height, width) // FARTHEST
    if mirror:
        flipped = torch.rand(count, generator=generator) < 0.5
        images = torch.where(flipped.view(-1, 1, 1, 1), images.flip(-1), images)
    top, left = (torch.randint(0, 2 * most + 1, (count, 1), generator=generator) for _ in range(2))
    rows, columns = top + torch.arange(height), left + torch.arange(width)
    padded = nn.functional.pad(images, (most,) * 4).permute(0, 2, 3, 1)
    moved = padded[torch.arange(count).view(-1, 1, 1), rows.unsqueeze(2), columns.unsqueeze(1)]
    return moved.permute(0, 3, 1, 2)  # channels lie last, as the network keeps them
