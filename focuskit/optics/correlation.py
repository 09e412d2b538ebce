"""Correlating pictures with point spread functions of a few pixels."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["correlated"]

Image = NDArray[np.float32]
Kernel = NDArray[np.float32]

# OpenCV transforms the picture for kernels of so many taps, which costs several times as much as
# adding up the taps of a disc.
_TRANSFORMED_FROM = 130


def correlated(image: Image, kernel: Kernel) -> Image:
    """Return a picture correlated with a kernel; outside the picture it is dark.

    Args:
        image: (H, W) or (H, W, C) float32.
        kernel: (K, K) float32, K odd; its middle stands for the pixel itself.

    Returns:
        The same shape as `image`.
    """
    made = None
    for part, anchor in _parts(kernel):
        each = cv2.filter2D(image, -1, part, anchor=anchor, borderType=cv2.BORDER_CONSTANT)
        made = each if made is None else cv2.add(made, each, dst=made)
    return np.asarray(made, np.float32).reshape(image.shape)


def _parts(kernel: Kernel) -> Iterator[tuple[Kernel, tuple[int, int]]]:
    """Yield kernels that add up to one, and where (x, y) the pixel itself lies in each."""
    reach = kernel.shape[0] // 2
    if kernel.size < _TRANSFORMED_FROM or (reach + 1) ** 2 >= _TRANSFORMED_FROM:
        yield np.ascontiguousarray(kernel), (reach, reach)
        return
    # Quarters that share the middle row and column, which count in one of them.
    for rows, y in ((slice(0, reach + 1), reach), (slice(reach, None), 0)):
        for columns, x in ((slice(0, reach + 1), reach), (slice(reach, None), 0)):
            quarter = kernel[rows, columns].copy()
            if y == 0:
                quarter[0] = 0
            if x == 0:
                quarter[:, 0] = 0
            yield quarter, (x, y)
