"""VGG16.

References:
    K. Simonyan, A. Zisserman: Very deep convolutional networks for large-scale image recognition.
        ICLR 2015.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from focuskit.detect.backbones.base import Backbone, kaiming

__all__ = ["Vgg16"]

# Channels and number of the convolutions of each stage; a halving ends it.
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class Vgg16(Backbone):
    """The convolutions of VGG16, from encoded sRGB in [0, 1].

    The colours are centred and scaled here as the public ImageNet weights want it. Caffe's first
    ones wanted BGR in [0, 255], centred alike and not scaled: the same but for a factor.

    What comes out is conv1_2, conv2_2, conv3_3, conv4_3, conv5_3, each after its ReLU, and pool5.
    """

    NAME: ClassVar[str] = "VGG16"
    HEADS: ClassVar[tuple[str, ...]] = ("classifier.", "pre_logits.", "head.")

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.channels = (*(width for width, _ in _STAGES), _STAGES[-1][0])
        self.strides = (1, 2, 4, 8, 16, 32)
        layers: list[nn.Module] = []
        entering = 3
        for width, count in _STAGES:
            for _ in range(count):
                layers += [nn.Conv2d(entering, width, 3, 1, 1), nn.ReLU()]
                entering = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        for name, values in (("mean", _MEAN), ("deviation", _DEVIATION)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        kaiming(self)

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """Return the six features of (N, 3, H, W) pictures, sides multiples of 32."""
        x = (rgb - self.mean) / self.deviation
        taps = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                taps.append(x)
            x = layer(x)
        return (*taps, x)
