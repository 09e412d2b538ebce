"""Teaching Distill-DBDGAN: first the teacher from masks, then the student from masks and teacher.

The paper names its losses but not their weights. [prop] Content is the cross-entropy and half the
soft intersection over union; an adversarial term counts .01, the teacher's map 1, its features .1.

Reference:
    S. Jonna, M. Medhi, R. R. Sahay: Distill-DBDGAN: knowledge distillation and adversarial learning
        framework for defocus blur detection. ACM TOMM 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from focuskit.detect.backbones import Backbone, load_backbone
from focuskit.detect.loading import load_network, load_own_network
from focuskit.detect.systems.dbdgan_student import DbdganStudent, StudentConfig
from focuskit.detect.systems.dbdgan_teacher import DbdganOutputs, DbdganTeacher, TeacherConfig
from focuskit.detect.weights import find_weights, read_weights
from focuskit.errors import InputError, WeightsError
from focuskit.training.example import Pools
from focuskit.training.focusing import learned_encoder, usual_pictures
from focuskit.training.kinds import Kind
from focuskit.training.loop import Stateful
from focuskit.training.losses import Batch, cross_entropy, overlap
from focuskit.training.masked import MaskTask, mask_figures
from focuskit.training.system_recipes import AdversarialRecipe, StudentRecipe, TeacherRecipe
from focuskit.training.systems.discriminators import Critic

__all__ = [
    "STUDENT_KIND",
    "TEACHER_KIND",
    "StudentTask",
    "TeacherTask",
    "feature_distance",
    "fresh_student",
    "fresh_teacher",
    "load_teacher",
]

Terms = dict[str, float]
Size = Literal["small", "full"]


class TeacherTask(MaskTask[TeacherRecipe, DbdganTeacher]):
    """What the loop needs to train a teacher on photos with masks.

    Args:
        recipe: gives shares, batch, size, seed and the weights of the loss.
        training: examples by kind.
        validation: the same, held back.

    Raises:
        InputError: a kind of data that has a share is missing.
    """

    def __init__(self, recipe: TeacherRecipe, training: Pools, validation: Pools) -> None:
        super().__init__(recipe, training, validation)
        self.critics = {"masks": Critic(recipe, 1)} if recipe.adversarial > 0 else {}

    def prepare(self, device: torch.device) -> None:
        """Move the critic to a device."""
        _move(self.critics, device)

    def companions(self) -> Mapping[str, Stateful]:
        """Return the critic and its optimiser."""
        return _states(self.critics)

    def loss(
        self, network: DbdganTeacher, batch: Batch, step: int, device: torch.device
    ) -> tuple[Tensor, Terms]:
        """Return the loss of a step's batch and its terms; the critic learns from it."""
        batch = _moved(batch, device)
        outputs: DbdganOutputs = network(batch.rgb)
        total, terms = _content(outputs, batch, self.recipe.overlap)
        if self.critics:
            found = torch.sigmoid(outputs.in_focus)
            fooled, values = self.critics["masks"].judge(
                batch.rgb, _believed(batch, found), found, step
            )
            total = total + self.recipe.adversarial * fooled
            terms |= _named("masks", values)
        return total, terms


class StudentTask(MaskTask[StudentRecipe, DbdganStudent]):
    """What the loop needs to train a student on photos with masks and on what the teacher says.

    Args:
        recipe: gives shares, batch, size, seed and the weights of the loss.
        training: examples by kind.
        validation: the same, held back.
        teacher: trained; it stays as it is.

    Raises:
        InputError: a kind of data that has a share is missing.
    """

    def __init__(
        self, recipe: StudentRecipe, training: Pools, validation: Pools, teacher: DbdganTeacher
    ) -> None:
        super().__init__(recipe, training, validation)
        self.teacher = teacher.eval().requires_grad_(False)
        self.critics: dict[str, Critic] = {}
        if recipe.adversarial > 0:
            self.critics["masks"] = Critic(recipe, 1)
        if recipe.distill_adversarial > 0:
            self.critics["teacher"] = Critic(recipe, 2)
        channels = _student_config(recipe).feature_channels
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed + 3)
            self.adapters = nn.ModuleList(
                nn.Conv2d(own, wanted, 1)
                for own, wanted in zip(channels, teacher.config.feature_channels, strict=True)
            )
        self._taught: dict[str, float] | None = None

    def groups(self, network: DbdganStudent) -> list[tuple[list[nn.Parameter], float]]:
        """Return the parameters of the student, and those of the adapters, which learn with it."""
        groups = super().groups(network)
        if self.recipe.distill_features > 0:
            groups.append((list(self.adapters.parameters()), 1.0))
        return groups

    def prepare(self, device: torch.device) -> None:
        """Move critics, adapters and teacher to a device."""
        _move(self.critics, device)
        self.adapters.to(device)
        self.teacher.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def companions(self) -> Mapping[str, Stateful]:
        """Return the critics, their optimisers, and the adapters."""
        return {**_states(self.critics), "adapters": self.adapters}

    def loss(
        self, network: DbdganStudent, batch: Batch, step: int, device: torch.device
    ) -> tuple[Tensor, Terms]:
        """Return the loss of a step's batch and its terms; the critics learn from it."""
        recipe = self.recipe
        batch = _moved(batch, device)
        outputs: DbdganOutputs = network(batch.rgb)
        total, terms = _content(outputs, batch, recipe.overlap)
        found = torch.sigmoid(outputs.in_focus)
        if "masks" in self.critics:
            fooled, values = self.critics["masks"].judge(
                batch.rgb, _believed(batch, found), found, step
            )
            total = total + recipe.adversarial * fooled
            terms |= _named("masks", values)
        if not recipe.distils:
            return total, terms
        with torch.no_grad():
            taught: DbdganOutputs = self.teacher(batch.rgb)
            soft = torch.sigmoid(taught.in_focus)
        difference = (found - soft).abs().mean()
        total = total + recipe.distill_output * difference
        terms["difference"] = float(difference.detach())
        if recipe.distill_features > 0:
            adapted = [
                adapter(own) for adapter, own in zip(self.adapters, outputs.features, strict=True)
            ]
            apart = feature_distance(adapted, taught.features)
            total = total + recipe.distill_features * apart
            terms["features"] = float(apart.detach())
        if "teacher" in self.critics:
            fooled, values = self.critics["teacher"].judge(batch.rgb, soft, found, step)
            total = total + recipe.distill_adversarial * fooled
            terms |= _named("teacher", values)
        return total, terms

    def validate(self, network: DbdganStudent) -> dict[str, float]:
        """Return the figures on the photos that were held back, and those against the teacher.

        "f_max_teacher" is the teacher's, "f_max_behind" how much lower the student's is,
        "l1_to_teacher" the mean difference of their maps on up to a hundred of the photos.
        """
        photos = self.validation.get("cuhk", ())
        figures = mask_figures(network, photos)
        if not figures:
            return {}
        if self._taught is None:
            self._taught = mask_figures(self.teacher, photos)
        taught = self._taught["f_max"]
        device = next(self.teacher.parameters()).device
        differences = []
        with torch.inference_mode():
            for picture in usual_pictures(photos):
                seen = torch.from_numpy(picture).to(device)
                apart = network.maps(seen)[0] - self.teacher.maps(seen)[0]
                differences.append(float(apart.abs().mean()))
        return figures | {
            "f_max_teacher": taught,
            "f_max_behind": taught - figures["f_max"],
            "l1_to_teacher": float(np.mean(differences)),
        }


def feature_distance(own: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Return the sum over levels of the mean squared distance of features of length 1.

    Args:
        own: (N, C, h, w) at each level.
        wanted: the same of the teacher; gradients do not reach it.
    """
    levels = []
    for one, other in zip(own, wanted, strict=True):
        # A place's vector counts by its direction: levels differ in scale.
        apart = functional.normalize(one.float(), dim=1) - functional.normalize(
            other.detach().float(), dim=1
        )
        levels.append(apart.square().sum(1).mean())
    return torch.stack(levels).sum()


def load_teacher(recipe: StudentRecipe) -> DbdganTeacher:
    """Return the trained teacher that a recipe names, or the one that ships.

    Raises:
        InputError: there is none, or it is no teacher.
    """
    name = DbdganTeacher.KIND
    try:
        if recipe.teacher:
            teacher = load_own_network(read_weights(Path(recipe.teacher), name))
        else:
            teacher = load_network(find_weights(name))
    except WeightsError as exc:
        raise InputError(
            f"The student needs a trained teacher ({exc}) Train it with focuskit train {name}, "
            f"then give its weights: --set teacher=FOLDER/weights/{name}.safetensors."
        ) from exc
    return cast(DbdganTeacher, teacher)


def fresh_teacher(recipe: TeacherRecipe) -> DbdganTeacher:
    """Return a teacher of the recipe's variant, random but for the seed."""
    torch.manual_seed(recipe.seed)
    size = cast(Size, recipe.configuration)
    return DbdganTeacher(TeacherConfig(size, recipe.dense_aspp, recipe.attention))


def fresh_student(recipe: StudentRecipe) -> DbdganStudent:
    """Return a student of the recipe's variant, random but for the seed."""
    torch.manual_seed(recipe.seed)
    return DbdganStudent(_student_config(recipe))


def _student_config(recipe: StudentRecipe) -> StudentConfig:
    return StudentConfig(cast(Size, recipe.configuration))


def _start(network: DbdganTeacher | DbdganStudent, data: Path, backbone: Path | None) -> None:
    """Give a network's backbone what was learned on ImageNet, as far as it is at hand."""
    if isinstance(network.backbone, Backbone):
        if backbone is not None:
            load_backbone(network.backbone, backbone)
        return
    learned = learned_encoder(data, backbone).state_dict()
    # The student has the first stages only.
    network.backbone.load_state_dict({key: learned[key] for key in network.backbone.state_dict()})


def _initial_teacher(recipe: TeacherRecipe, data: Path, backbone: Path | None) -> DbdganTeacher:
    network = fresh_teacher(recipe)
    _start(network, data, backbone)
    return network


def _initial_student(recipe: StudentRecipe, data: Path, backbone: Path | None) -> DbdganStudent:
    network = fresh_student(recipe)
    _start(network, data, backbone)
    return network


def _origin(recipe: AdversarialRecipe) -> str:
    return "ImageNet encoder" if recipe.configuration == "small" else "random weights"


def _facts(network: DbdganTeacher | DbdganStudent, task: object) -> dict[str, Any]:
    return {"network": asdict(network.config)}


def _student_task(recipe: StudentRecipe, training: Pools, validation: Pools) -> StudentTask:
    return StudentTask(recipe, training, validation, load_teacher(recipe))


TEACHER_KIND: Kind[TeacherRecipe, DbdganTeacher] = Kind(
    make_task=TeacherTask,
    fresh=fresh_teacher,
    initial=_initial_teacher,
    origin=_origin,
    facts=_facts,
    graph=False,
)
"""How a teacher is trained."""

STUDENT_KIND: Kind[StudentRecipe, DbdganStudent] = Kind(
    make_task=_student_task,
    fresh=fresh_student,
    initial=_initial_student,
    origin=_origin,
    facts=_facts,
)
"""How a student is trained."""


def _content(outputs: DbdganOutputs, batch: Batch, weight: float) -> tuple[Tensor, Terms]:
    mask = cross_entropy(outputs.in_focus, batch.in_focus, batch.weight)
    shared = overlap(outputs.in_focus, batch.in_focus, batch.weight)
    terms = {"mask": float(mask.detach()), "overlap": float(shared.detach())}
    return mask + weight * shared, terms


def _believed(batch: Batch, found: Tensor) -> Tensor:
    """Return the mask; where nobody knows it, what was found, which so tells a critic nothing."""
    return torch.where(batch.weight > 0, batch.in_focus, found.detach())


def _moved(batch: Batch, device: torch.device) -> Batch:
    batch = batch.map(lambda x: x.to(device))
    rgb = batch.rgb.contiguous(memory_format=torch.channels_last)
    return Batch(rgb, batch.in_focus, batch.weight, batch.log_coc)


def _move(critics: Mapping[str, Critic], device: torch.device) -> None:
    for critic in critics.values():
        critic.network.to(device)


def _states(critics: Mapping[str, Critic]) -> dict[str, Stateful]:
    states: dict[str, Stateful] = {}
    for name, critic in critics.items():
        states |= critic.companions(f"{name}_critic")
    return states


def _named(name: str, values: Mapping[str, float]) -> Terms:
    return {f"{name}_{part}": value for part, value in values.items()}
