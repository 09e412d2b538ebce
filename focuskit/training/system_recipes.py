"""How the published systems are trained.

The papers' optimisers differ (SGD with momentum, Adam, several at once); here all networks learn by
the loop's AdamW, with one schedule, so that they can be compared. What is a paper's own is its
network, its losses and its switches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from focuskit.errors import InputError
from focuskit.training.recipe import Recipe

__all__ = [
    "SYSTEM_RECIPES",
    "AdversarialRecipe",
    "DefusionRecipe",
    "LocalMetricRecipe",
    "M2csRecipe",
    "MaskedRecipe",
    "RdbdRecipe",
    "StudentRecipe",
    "SystemRecipe",
    "TeacherRecipe",
]


@dataclass(frozen=True, slots=True)
class SystemRecipe(Recipe):
    """One way to train a published system.

    Attributes:
        configuration: "full" is the paper's network; "small" has its topology with fewer channels.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {"configuration": ("small", "full")}

    steps: int = 2500
    batch: int = 8
    size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: int = 100
    average: float = 0.998
    cuhk: float = 0.8
    pairs: float = 0.1
    sweeps: float = 0.1
    scenes: float = 0.0
    whole: float = 0.0
    seed: int = 0
    configuration: str = "small"


@dataclass(frozen=True, slots=True)
class MaskedRecipe(SystemRecipe):
    """One way to train a system whose every loss asks the masks.

    Attributes:
        encoder_share: the backbone's learning rate as a share of the other parameters'.
        hard: weight of hard regions, where what catches the eye is not what is in focus; 1 = as any
            other.
        overlap: weight of the soft intersection over union beside the cross-entropy of the map
            that ships; 0 leaves it out.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    AT_LEAST: ClassVar[dict[str, float]] = SystemRecipe.AT_LEAST | {
        "encoder_share": 0,
        "hard": 0,
        "overlap": 0,
    }

    encoder_share: float = 0.3
    hard: float = 1.0
    overlap: float = 0.5


@dataclass(frozen=True, slots=True)
class RdbdRecipe(MaskedRecipe):
    """R-DBD, with a switch for each of its parts. Swapped copies count as pictures of the batch.

    Attributes:
        gradients: whether the branches of the x and y gradients are there.
        swap_side: side of the two patches that are swapped, in pixels: the paper says both 64 and
            16. 0 swaps none, and leaves out self-supervision too.
        self_supervision: weight of the difference between the map of a swapped copy and the
            swapped map; 0 leaves it out.
        hard: weight of hard regions; 1 leaves hard mining out.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    AT_LEAST: ClassVar[dict[str, float]] = MaskedRecipe.AT_LEAST | {
        "self_supervision": 0,
        "swap_side": 0,
    }

    name: str = "r-dbd"
    gradients: bool = True
    self_supervision: float = 0.2
    swap_side: int = 64
    hard: float = 2.0

    def __post_init__(self) -> None:
        # Not super(): a class with slots is another than the one that its methods were made for.
        MaskedRecipe.__post_init__(self)
        if self.swap_side > self.size:
            raise InputError(
                f"Patches of {self.swap_side} px do not fit views of {self.size} px; lower "
                "swap_side."
            )
        if self.swap_side and self.batch < 2:
            raise InputError("batch must be at least 2, or swap_side 0: swapped copies count.")


@dataclass(frozen=True, slots=True)
class DefusionRecipe(MaskedRecipe):
    """DeFusionNET; the paper trains by SGD with momentum.

    Attributes:
        steps_recurrent: how often the features are fused and refined.
        ffrm: whether they are refined at all.
        cam: whether the fused features pass channel attention.
        fam: whether they are adapted before they are handed on.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    AT_LEAST: ClassVar[dict[str, float]] = MaskedRecipe.AT_LEAST | {"steps_recurrent": 1}

    name: str = "defusionnet"
    # As large as what the detector sees.
    size: int = 320
    steps_recurrent: int = 3
    ffrm: bool = True
    cam: bool = True
    fam: bool = True


@dataclass(frozen=True, slots=True)
class AdversarialRecipe(MaskedRecipe):
    """What teacher and student of Distill-DBDGAN share.

    Attributes:
        adversarial: weight of each adversarial term; 0 leaves the discriminators out.
        discriminator: what they minimise: "relativistic" (average), "least-squares" or "plain".
        spectral_norm: whether their layers are normalised so.
        critic_rate_ratio: their learning rate as a multiple of the generator's (TTUR).

    Raises:
        InputError: a value with which nothing can be trained.
    """

    AT_LEAST: ClassVar[dict[str, float]] = MaskedRecipe.AT_LEAST | {
        "adversarial": 0,
        "critic_rate_ratio": 0,
    }
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = MaskedRecipe.CHOICES | {
        "discriminator": ("relativistic", "least-squares", "plain")
    }

    adversarial: float = 0.01
    discriminator: str = "relativistic"
    spectral_norm: bool = True
    critic_rate_ratio: float = 4.0


@dataclass(frozen=True, slots=True)
class TeacherRecipe(AdversarialRecipe):
    """The teacher of Distill-DBDGAN, trained before its student.

    Attributes:
        dense_aspp: whether the deepest features get dense dilated context.
        attention: whether they get self-attention.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    name: str = "distill-dbdgan-teacher"
    dense_aspp: bool = True
    attention: bool = True


@dataclass(frozen=True, slots=True)
class StudentRecipe(AdversarialRecipe):
    """The student of Distill-DBDGAN.

    Attributes:
        teacher: file of the trained teacher's weights (.safetensors); empty for those that ship.
        distill_output: weight of the difference from the teacher's map.
        distill_features: weight of the difference from the teacher's features.
        distill_adversarial: weight of the adversarial term whose real maps are the teacher's.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    AT_LEAST: ClassVar[dict[str, float]] = AdversarialRecipe.AT_LEAST | {
        "distill_output": 0,
        "distill_features": 0,
        "distill_adversarial": 0,
    }

    name: str = "distill-dbdgan-student"
    # So small a network learns slowly at the others' rate.
    learning_rate: float = 2e-3
    teacher: str = ""
    distill_output: float = 1.0
    distill_features: float = 0.1
    distill_adversarial: float = 0.01

    @property
    def distils(self) -> bool:
        """Whether the teacher has a part in the loss."""
        return self.distill_output + self.distill_features + self.distill_adversarial > 0


@dataclass(frozen=True, slots=True)
class M2csRecipe(SystemRecipe):
    """M2CS. Masks are not used: of the examples only the pictures are looked at.

    Attributes:
        global_similarity: whether whole composites are compared.
        local_patches: sides of the patches that are compared, in pixels, with commas between them;
            empty leaves them out.
        aligned_negatives: compare clear and blurred ones of the same number only, as released.
        temperature: of the contrastive similarity loss; at the paper's, 1, the similarity networks
            tell less well, after as many steps, what is sharp in real photos.
        coverage: least mean of a map, and of its complement, that costs nothing.
        pool: pictures that are sharp all over, and as many that are blurred all over.
        pretrain: first part of the steps, in which only the similarity networks learn.
        alternate: last part of the steps, in which they and the mask network learn by turns.
        similarity_rate: learning rate of the similarity networks, by Adam.
        encoder_share: the backbone's learning rate as a share of the mask network's.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    AT_LEAST: ClassVar[dict[str, float]] = SystemRecipe.AT_LEAST | {
        "temperature": 0.01,
        "pool": 1,
        "similarity_rate": 0,
        "encoder_share": 0,
    }
    WITHIN_ONE: ClassVar[frozenset[str]] = SystemRecipe.WITHIN_ONE | {
        "coverage",
        "pretrain",
        "alternate",
    }

    name: str = "m2cs"
    steps: int = 1200
    batch: int = 4
    size: int = 192
    learning_rate: float = 2e-4
    average: float = 0.995
    cuhk: float = 1.0
    pairs: float = 0.0
    sweeps: float = 0.0
    scenes: float = 0.0
    global_similarity: bool = True
    local_patches: str = "32,64,96,128"
    aligned_negatives: bool = False
    temperature: float = 0.3
    coverage: float = 0.05
    pool: int = 500
    pretrain: float = 0.16
    alternate: float = 0.1
    similarity_rate: float = 3e-3
    encoder_share: float = 0.3

    def __post_init__(self) -> None:
        SystemRecipe.__post_init__(self)
        if not self.patch_sides and not self.global_similarity:
            raise InputError(
                "Nothing would be compared; set global_similarity=true or local_patches."
            )

    @property
    def patch_sides(self) -> tuple[int, ...]:
        """The sides of the local patches in pixels.

        Raises:
            InputError: there is no network for one of them.
        """
        sides = tuple(text.strip() for text in self.local_patches.split(",") if text.strip())
        strange = [side for side in sides if side not in ("32", "64", "96", "128")]
        if strange:
            raise InputError(
                "local_patches are some of 32, 64, 96 and 128 with commas between them; got "
                f"{strange[0]!r}."
            )
        return tuple(int(side) for side in sides)


@dataclass(frozen=True, slots=True)
class LocalMetricRecipe(SystemRecipe):
    """Zeng's local metric: networks that tell sharp from blurred patches; `batch` counts patches.

    Attributes:
        kernels: of each first layer, before CReLU doubles them.
        nets: networks that are trained; the kernels of all of them go into the PCA.

    Raises:
        InputError: a value with which nothing can be trained.
    """

    AT_LEAST: ClassVar[dict[str, float]] = SystemRecipe.AT_LEAST | {"kernels": 2, "nets": 1}

    name: str = "local-metric"
    steps: int = 600
    batch: int = 64
    learning_rate: float = 2e-3
    warmup: int = 50
    average: float = 0.98
    cuhk: float = 1.0
    pairs: float = 0.0
    sweeps: float = 0.0
    scenes: float = 0.0
    kernels: int = 32
    nets: int = 2


SYSTEM_RECIPES: tuple[SystemRecipe, ...] = (
    RdbdRecipe(),
    DefusionRecipe(),
    TeacherRecipe(),
    StudentRecipe(),
    M2csRecipe(),
    LocalMetricRecipe(),
)
