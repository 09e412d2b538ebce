"""What the papers of the published systems claim of their parts, and how each claim is tried."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLAIMS", "TEACHER", "Claim", "PaperDifference", "Variant"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to train a system.

    Attributes:
        system: name of its recipe.
        name: of the variant, and of its folder.
        settings: what its recipe changes, such as "gradients=false".
    """

    system: str
    name: str = "whole"
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PaperDifference:
    """What a paper reports of a variant less what it reports of the whole system.

    Attributes:
        f, mae: differences; None where not given.
        how: on which photos, and what else differs from the variant here.
    """

    f: float
    mae: float | None
    how: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A part of a system that is claimed to be worth having.

    Attributes:
        text: the claim.
        whole: the system with the part.
        variant: without it, or with another in its place.
        least: the claim holds if the whole's F_max less the variant's is above this; below 0 where
            it is that nothing much is lost.
        paper: what the paper reports; None where it does not, or was out of reach.
    """

    text: str
    whole: Variant
    variant: Variant
    least: float = 0.0
    paper: PaperDifference | None = None

    @property
    def system(self) -> str:
        """Name of the system that the claim is about."""
        return self.whole.system


_NEARLY = -0.01
_RDBD = Variant("r-dbd")
_DEFUSION = Variant("defusionnet")
_STUDENT = Variant("distill-dbdgan-student")
_M2CS = Variant("m2cs")

TEACHER = Variant("distill-dbdgan-teacher")
"""What students learn from."""

# The paper adds one part after the other, so its differences have different wholes.
_RDBD_CLAIMS = (
    Claim(
        "gradient branches help",
        _RDBD,
        Variant("r-dbd", "no-gradients", ("gradients=false",)),
        paper=PaperDifference(-0.009, 0.012, "CUHK, without the other two parts in both"),
    ),
    Claim(
        "self-supervision helps",
        _RDBD,
        # Swapped copies stay: what is left out is the term that asks for equal maps of them.
        Variant("r-dbd", "no-self-supervision", ("self_supervision=0",)),
        paper=PaperDifference(-0.006, 0.006, "CUHK, without hard mining in both"),
    ),
    Claim(
        "hard mining helps",
        _RDBD,
        Variant("r-dbd", "no-hard-mining", ("hard=1",)),
        paper=PaperDifference(-0.011, 0.007, "CUHK"),
    ),
    Claim(
        "the three parts help together",
        _RDBD,
        Variant("r-dbd", "plain", ("gradients=false", "swap_side=0", "hard=1")),
        paper=PaperDifference(-0.026, 0.025, "CUHK"),
    ),
)

_BOTH_LEFT_OUT = PaperDifference(-0.008, 0.014, "CUHK, without CAM and FAM (version of 2019)")

_DEFUSION_CLAIMS = (
    Claim(
        "three steps are better than one",
        _DEFUSION,
        Variant("defusionnet", "steps-1", ("steps_recurrent=1",)),
        paper=PaperDifference(-0.209, 0.133, "CUHK"),
    ),
    Claim(
        "three steps are better than two",
        _DEFUSION,
        Variant("defusionnet", "steps-2", ("steps_recurrent=2",)),
        paper=PaperDifference(-0.026, 0.019, "CUHK"),
    ),
    Claim(
        "three steps are within .01 of four",
        _DEFUSION,
        Variant("defusionnet", "steps-4", ("steps_recurrent=4",)),
        least=_NEARLY,
        paper=PaperDifference(0.001, -0.002, "CUHK, six steps"),
    ),
    Claim(
        "refining features (FFRM) helps",
        _DEFUSION,
        Variant("defusionnet", "no-ffrm", ("ffrm=false",)),
    ),
    Claim(
        "channel attention (CAM) helps",
        _DEFUSION,
        Variant("defusionnet", "no-cam", ("cam=false",)),
        paper=_BOTH_LEFT_OUT,
    ),
    Claim(
        "adapting features (FAM) helps",
        _DEFUSION,
        Variant("defusionnet", "no-fam", ("fam=false",)),
        paper=_BOTH_LEFT_OUT,
    ),
)

_TEACHER_CLAIMS = (
    Claim(
        "adversarial training helps",
        TEACHER,
        Variant("distill-dbdgan-teacher", "no-adversary", ("adversarial=0",)),
    ),
    Claim(
        "dense dilated context (DenseASPP) helps",
        TEACHER,
        Variant("distill-dbdgan-teacher", "no-dense-aspp", ("dense_aspp=false",)),
    ),
    Claim(
        "self-attention helps",
        TEACHER,
        Variant("distill-dbdgan-teacher", "no-attention", ("attention=false",)),
    ),
)

_STUDENT_CLAIMS = (
    Claim(
        "the teacher helps",
        _STUDENT,
        Variant(
            "distill-dbdgan-student",
            "no-teacher",
            ("distill_output=0", "distill_features=0", "distill_adversarial=0"),
        ),
    ),
    Claim(
        "the student is within .01 of its teacher",
        _STUDENT,
        TEACHER,
        least=_NEARLY,
        paper=PaperDifference(0.007, None, "CUHK, read off a plot, ±.005"),
    ),
)

_M2CS_CLAIMS = (
    Claim(
        "local patches help beside the whole",
        _M2CS,
        Variant("m2cs", "global-only", ("local_patches=",)),
    ),
    Claim(
        "the whole helps beside local patches",
        _M2CS,
        Variant("m2cs", "local-only", ("global_similarity=false",)),
    ),
)

CLAIMS: tuple[Claim, ...] = (
    *_RDBD_CLAIMS,
    *_DEFUSION_CLAIMS,
    *_TEACHER_CLAIMS,
    *_STUDENT_CLAIMS,
    *_M2CS_CLAIMS,
)
"""The claims of the papers' ablations, system by system."""
