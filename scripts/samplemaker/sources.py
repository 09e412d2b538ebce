"""The photographs that scikit-image and scikit-learn ship: terms, and linear light."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from focuskit.color import linearise_srgb

__all__ = ["SOURCES", "Source", "read_bytes", "read_linear"]

_CC_BY = "CC-BY-2.0"
_CC0 = "CC0-1.0"
_PUBLIC_DOMAIN = "public domain"
_CC0_TERMS = "No copyright restrictions. CC0 by the photographer"


@dataclass(frozen=True, slots=True)
class Source:
    """A photograph that somebody else took.

    Attributes:
        shipped_in: the package that carries it, and where in it.
        title: what it shows.
        author: whom to credit.
        licence: SPDX-like name.
        terms: what the package says about it, word for word.
        origin: where the package got it.
    """

    shipped_in: tuple[str, str]
    title: str
    author: str
    licence: str
    terms: str
    origin: str


SOURCES: dict[str, Source] = {
    "flower": Source(
        ("sklearn", "datasets/images/flower.jpg"),
        "Dahlia before an out-of-focus background",
        "vultilion on Flickr",
        _CC_BY,
        # The package's credit line repeats china.jpg's name; its links lead to this author.
        "Released under a creative commons license. https://creativecommons.org/licenses/by/2.0/ "
        "Some rights reserved by danielbuechele; https://www.flickr.com/photos/vultilion/",
        "https://www.flickr.com/photos/vultilion/6056698931/sizes/z/in/photostream/",
    ),
    "china": Source(
        ("sklearn", "datasets/images/china.jpg"),
        "Pagoda above a lake",
        "danielbuechele on Flickr",
        _CC_BY,
        "Released under a creative commons license. https://creativecommons.org/licenses/by/2.0/ "
        "Some rights reserved by danielbuechele",
        "https://www.flickr.com/photos/danielbuechele/6061409035/sizes/z/in/photostream/",
    ),
    "astronaut": Source(
        ("skimage", "data/astronaut.png"),
        "Eileen Collins, astronaut",
        "NASA",
        _PUBLIC_DOMAIN,
        "No known copyright restrictions, released into the public domain.",
        "NASA Great Images database, https://flic.kr/p/r9qvLn",
    ),
    "chelsea": Source(
        ("skimage", "data/chelsea.png"),
        "Chelsea the cat",
        "Stefan van der Walt",
        _CC0,
        f"{_CC0_TERMS} (Stefan van der Walt).",
        "skimage.data.chelsea",
    ),
    "coffee": Source(
        ("skimage", "data/coffee.png"),
        "Cup of coffee, courtesy of Pikolo Espresso Bar",
        "Rachel Michetti",
        _CC0,
        f"{_CC0_TERMS} (Rachel Michetti).",
        "skimage.data.coffee",
    ),
    "gravel": Source(
        ("skimage", "data/gravel.png"),
        "Gravel, monochrome",
        "CC0Textures",
        _CC0,
        "Downloaded from CC0Textures and licensed under the Creative Commons CC0 License.",
        "https://cc0textures.com/view.php?tex=Gravel04",
    ),
    "rocket": Source(
        ("skimage", "data/rocket.jpg"),
        "Falcon 9 with DSCOVR on the pad at dusk",
        "SpaceX",
        _PUBLIC_DOMAIN,
        "The image was captured by SpaceX and released in the public domain.",
        "https://www.flickr.com/photos/spacexphotos/16511594820/in/photostream/",
    ),
}


def read_bytes(name: str) -> bytes:
    """Return the file of the source as its package ships it."""
    package, path = SOURCES[name].shipped_in
    return (resources.files(package) / path).read_bytes()


def read_linear(name: str) -> NDArray[np.float32]:
    """Return the source as (H, W, 3) linear light with sRGB primaries, white at 1."""
    with Image.open(io.BytesIO(read_bytes(name))) as picture:
        profile = picture.info.get("icc_profile")
        rgb = picture.convert("RGB")
    if profile:
        # The rocket is in Adobe RGB; read as sRGB it would come out pale.
        ImageCms.profileToProfile(
            rgb,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            inPlace=True,
        )
    return linearise_srgb(np.asarray(rgb, np.float32) / np.float32(255))
