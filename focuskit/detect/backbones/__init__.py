"""The encoders that the published systems start from, and their weights from a user's file."""

from __future__ import annotations

from focuskit.detect.backbones.base import Backbone
from focuskit.detect.backbones.efficientnet import EfficientNetB3
from focuskit.detect.backbones.loading import load_backbone
from focuskit.detect.backbones.seresnext import SeResnext101
from focuskit.detect.backbones.vgg import Vgg16

__all__ = [
    "Backbone",
    "EfficientNetB3",
    "SeResnext101",
    "Vgg16",
    "load_backbone",
]
