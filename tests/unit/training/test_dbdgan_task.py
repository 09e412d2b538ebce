from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from focuskit.detect.maps import MapNetwork
from focuskit.detect.network import FocusNet, NetworkConfig
from focuskit.detect.systems.dbdgan_student import DbdganStudent
from focuskit.detect.systems.dbdgan_teacher import DbdganOutputs, DbdganTeacher, TeacherConfig
from focuskit.errors import InputError
from focuskit.training.example import Pools
from focuskit.training.export import export
from focuskit.training.kinds import kind_of
from focuskit.training.loop import Run
from focuskit.training.losses import Batch
from focuskit.training.system_recipes import AdversarialRecipe, StudentRecipe, TeacherRecipe
from focuskit.training.systems import dbdgan
from focuskit.training.systems.dbdgan import (
    StudentTask,
    TeacherTask,
    feature_distance,
    fresh_student,
    fresh_teacher,
    load_teacher,
)
from focuskit.training.systems.discriminators import (
    Critic,
    Discriminator,
    discriminator_loss,
    generator_loss,
)
from tests.unit.training._make import half_sharp_example, one_thread, write_encoder

CPU = torch.device("cpu")
KINDS = ("relativistic", "least-squares", "plain")
SIZE = 64
TINY: dict[str, Any] = {
    "steps": 2,
    "batch": 2,
    "size": SIZE,
    "warmup": 1,
    "cuhk": 1.0,
    "pairs": 0.0,
    "sweeps": 0.0,
    "scenes": 0.0,
}
POOLS: Pools = {"cuhk": [half_sharp_example(seed) for seed in range(3)]}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def teacher() -> DbdganTeacher:
    torch.manual_seed(5)
    network = DbdganTeacher()
    nn.init.normal_(network.head.weight, std=0.5)
    return network.eval()


def _student_task(teacher: DbdganTeacher, **changes: float) -> StudentTask:
    return StudentTask(StudentRecipe(**(TINY | changes)), POOLS, POOLS, teacher)


def _maps(seed: int) -> Tensor:
    return torch.rand((2, 1, SIZE, SIZE), generator=torch.Generator().manual_seed(seed))


def _pictures() -> Tensor:
    return _maps(9).expand(-1, 3, -1, -1)


logits = st.lists(st.floats(-5, 5), min_size=4, max_size=4).map(torch.tensor)


@given(real=logits, fake=logits, moved=st.floats(-3, 3))
@settings(max_examples=20)
def test_the_relativistic_loss_compares_only(real: Tensor, fake: Tensor, moved: float) -> None:
    loss = discriminator_loss("relativistic", real, fake)

    assert torch.allclose(
        discriminator_loss("relativistic", real + moved, fake + moved), loss, atol=1e-3
    )
    assert torch.allclose(generator_loss("relativistic", fake, real), loss)


@pytest.mark.parametrize(
    ("kind", "real", "fake"),
    [("relativistic", 0.8, -0.2), ("least-squares", 1.0, 0.0), ("plain", 30.0, -30.0)],
)
def test_a_perfect_discriminator_has_no_loss(kind: str, real: float, fake: float) -> None:
    one, other = torch.full((2, 1, 4, 4), real), torch.full((2, 1, 4, 4), fake)

    assert float(discriminator_loss(kind, one, other)) == pytest.approx(0, abs=1e-6)
    assert float(generator_loss(kind, one, other)) > 0.4


@pytest.mark.parametrize("kind", KINDS)
def test_maps_that_look_more_real_cost_the_generator_less(kind: str) -> None:
    real, fake = torch.ones(4), torch.zeros(4)

    losses = [float(generator_loss(kind, real, fake + more)) for more in (-1.0, 0.0, 1.0)]

    assert losses == sorted(losses, reverse=True)


def test_a_discriminator_decides_pixel_by_pixel() -> None:
    torch.manual_seed(0)
    rgb, probability = _pictures(), _maps(1)
    full, small = (Discriminator(size, normalised=False) for size in ("full", "small"))

    assert full(rgb, probability).shape == (2, 1, SIZE, SIZE)
    assert small(rgb, probability).shape == (2, 1, SIZE // 2, SIZE // 2)
    assert not torch.allclose(full(rgb, probability), full(rgb, 1 - probability))
    assert not torch.allclose(full(rgb, probability), full(1 - rgb, probability))


def test_spectral_norms_are_kept_at_one() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator("small", normalised=True)
    layers = [each for each in discriminator.modules() if isinstance(each, nn.Conv2d)]
    for _ in range(60):
        discriminator(_pictures(), _maps(1))

    norms = [float(torch.linalg.matrix_norm(each.weight.detach().flatten(1), 2)) for each in layers]
    assert norms == pytest.approx([1.0] * len(layers), abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_critic_learns_to_tell_and_its_verdict_reaches_the_generator_alone(kind: str) -> None:
    recipe = TeacherRecipe(**(TINY | {"steps": 80, "discriminator": kind}))
    critic = Critic(recipe, 1)
    rgb = _pictures()
    real, fake = torch.ones(2, 1, SIZE, SIZE), torch.full((2, 1, SIZE, SIZE), 0.3)
    fake.requires_grad_()

    values = [critic.judge(rgb, real, fake, step)[1] for step in range(60)]
    before = {name: x.clone() for name, x in critic.network.named_parameters()}
    judged, _ = critic.judge(rgb, real, fake, 60)
    after = {name: x.clone() for name, x in critic.network.named_parameters()}
    judged.backward()  # type: ignore[no-untyped-call]

    assert values[-1]["critic"] < 0.5 * values[0]["critic"]
    assert values[-1]["generator"] > values[-1]["critic"]
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert fake.grad is not None
    # More like the real ones is better.
    assert float(fake.grad.mean()) < 0
    assert all(torch.equal(after[name], x) for name, x in critic.network.named_parameters())


def test_a_critic_learns_four_times_as_fast_and_slows_down_with_the_generator() -> None:
    recipe = TeacherRecipe(**(TINY | {"steps": 100, "learning_rate": 1e-4}))
    critic, rates = Critic(recipe, 1), []

    for step in (0, 50, 100):
        critic.judge(_pictures(), _maps(1), _maps(2), step)
        rates.append(critic.optimiser.param_groups[0]["lr"])

    assert rates == pytest.approx([4e-4, 0.505 * 4e-4, 0.01 * 4e-4])
    assert critic.optimiser.param_groups[0]["betas"] == (0.5, 0.999)


class _Judged:
    """A task that is broken off at its nth validation, and quick about it."""

    def __init__(self, task: TeacherTask | StudentTask, interrupt: int = 0) -> None:
        self.task, self.interrupt, self.done = task, interrupt, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def validate(self, network: MapNetwork) -> dict[str, float]:
        self.done += 1
        if self.done == self.interrupt:
            raise KeyboardInterrupt
        return {}


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(torch.allclose(x, other[name], rtol=1e-4, atol=1e-6) for name, x in one.items())


@pytest.mark.parametrize("which", ["teacher", "student"])
def test_a_run_that_was_broken_off_ends_as_one_that_was_not_companions_too(
    tmp_path: Path, teacher: DbdganTeacher, which: str
) -> None:
    recipe: AdversarialRecipe = (TeacherRecipe if which == "teacher" else StudentRecipe)(**TINY)

    def task() -> TeacherTask | StudentTask:
        if isinstance(recipe, TeacherRecipe):
            return TeacherTask(recipe, POOLS, {})
        assert isinstance(recipe, StudentRecipe)
        return StudentTask(recipe, POOLS, {}, teacher)

    def run(folder: str, judged: _Judged) -> MapNetwork:
        (tmp_path / folder).mkdir(exist_ok=True)
        start: MapNetwork = kind_of(recipe).fresh(recipe)
        training = Run[MapNetwork](
            recipe, cast(Any, judged), tmp_path / folder, CPU, every=1, say=lambda text: None
        )
        return training.train(start)

    straight, resumed = task(), task()
    whole = run("whole", _Judged(straight))
    with pytest.raises(KeyboardInterrupt):
        run("broken", _Judged(task(), interrupt=2))
    again = run("broken", _Judged(resumed))

    assert _same(whole.state_dict(), again.state_dict())
    modules = [name for name in straight.companions() if not name.endswith("optimiser")]
    assert len(modules) == (1 if which == "teacher" else 3)
    for name in modules:
        one, other = (each.companions()[name].state_dict() for each in (straight, resumed))
        assert _same(one, other)
    fresh = task().companions()["masks_critic"].state_dict()
    assert not _same(fresh, straight.companions()["masks_critic"].state_dict())


def test_without_the_adversarial_term_there_is_no_critic() -> None:
    task = TeacherTask(TeacherRecipe(**(TINY | {"adversarial": 0.0})), POOLS, {})
    network = fresh_teacher(task.recipe)

    loss, terms = task.loss(network, task.batch(0), 0, CPU)

    assert task.companions() == {}
    assert set(terms) == {"mask", "overlap"}
    assert float(loss.detach()) == pytest.approx(terms["mask"] + 0.5 * terms["overlap"])


def test_where_nobody_knows_the_mask_the_critic_learns_nothing() -> None:
    task = TeacherTask(TeacherRecipe(**TINY), POOLS, {})
    network = fresh_teacher(task.recipe)
    seen: list[tuple[Tensor, Tensor]] = []

    class _Noting(Critic):
        def judge(
            self, rgb: Tensor, real: Tensor, fake: Tensor, step: int
        ) -> tuple[Tensor, Mapping[str, float]]:
            seen.append((real, fake))
            return super().judge(rgb, real, fake, step)

    task.critics = {"masks": _Noting(task.recipe, 1)}
    batch = task.batch(0)
    weight = batch.weight.clone()
    weight[..., :20] = 0

    task.loss(network, Batch(batch.rgb, batch.in_focus, weight, batch.log_coc), 0, CPU)

    ((real, fake),) = seen
    assert torch.equal(real[..., :20], fake[..., :20])
    assert torch.equal(real[..., 20:], batch.in_focus[..., 20:])


def test_the_student_learns_from_a_teacher_that_stays_as_it_is(teacher: DbdganTeacher) -> None:
    task = _student_task(teacher)
    network = fresh_student(task.recipe)
    before = {name: x.clone() for name, x in teacher.state_dict().items()}

    loss, terms = task.loss(network, task.batch(0), 0, CPU)
    loss.backward()  # type: ignore[no-untyped-call]

    assert {"difference", "features", "masks_critic", "teacher_critic"} <= set(terms)
    assert all(math.isfinite(value) for value in terms.values())
    assert all(torch.equal(before[name], x) for name, x in teacher.state_dict().items())
    for parameter in (*network.parameters(), *task.adapters.parameters()):
        assert parameter.grad is not None
    learning = [parameter for group, _ in task.groups(network) for parameter in group]
    wanted = {id(each) for each in (*network.parameters(), *task.adapters.parameters())}
    assert {id(parameter) for parameter in learning} == wanted


def test_without_distillation_the_teacher_is_not_asked(teacher: DbdganTeacher) -> None:
    class _Silent(DbdganTeacher):
        def forward(self, rgb: Tensor) -> DbdganOutputs:
            raise AssertionError

    nothing = {f"distill_{part}": 0.0 for part in ("output", "features", "adversarial")}
    task = _student_task(_Silent(), adversarial=0.0, **nothing)
    network = fresh_student(task.recipe)

    _, terms = task.loss(network, task.batch(0), 0, CPU)

    assert set(terms) == {"mask", "overlap"}
    assert len(task.groups(network)) == 2


@pytest.mark.parametrize("part", ["output", "features", "adversarial"])
def test_each_part_of_the_distillation_adds_to_the_loss(teacher: DbdganTeacher, part: str) -> None:
    def loss(weight: float) -> float:
        parts = {f"distill_{name}": 0.0 for name in ("output", "features", "adversarial")}
        task = _student_task(teacher, adversarial=0.0, **(parts | {f"distill_{part}": weight}))
        torch.manual_seed(0)
        network = fresh_student(task.recipe)
        return float(task.loss(network, task.batch(0), 0, CPU)[0].detach())

    assert loss(1.0) > loss(0.5) > loss(0.0)


def test_features_are_compared_by_direction_at_every_level() -> None:
    one, other = torch.rand(2, 3, 4, 4), torch.rand(2, 5, 2, 2)

    assert float(feature_distance([one, other], [7 * one, other / 3])) == pytest.approx(0, abs=1e-6)
    # Opposite vectors of length 1 are 2 apart, at each of two levels.
    assert float(feature_distance([one, other], [-one, -other])) == pytest.approx(8, rel=1e-4)


def test_the_students_figures_stand_beside_the_teachers(
    teacher: DbdganTeacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = _student_task(teacher)
    student = fresh_student(task.recipe)

    figures = task.validate(student)
    monkeypatch.setattr(student, "maps", lambda picture: teacher.maps(picture))
    imitated = task.validate(student)

    assert figures["f_max_behind"] == figures["f_max_teacher"] - figures["f_max"]
    assert figures["l1_to_teacher"] > 0
    assert imitated["f_max"] == imitated["f_max_teacher"] == figures["f_max_teacher"]
    assert imitated["l1_to_teacher"] == 0
    assert StudentTask(task.recipe, POOLS, {}, teacher).validate(student) == {}


def test_the_teacher_comes_from_the_file_that_is_named(
    tmp_path: Path, teacher: DbdganTeacher
) -> None:
    export(teacher, tmp_path, teacher.KIND, {"network": {"size": "small"}})
    path = tmp_path / f"{teacher.KIND}.safetensors"

    loaded = load_teacher(StudentRecipe(teacher=str(path)))

    picture = _pictures()[:1]
    with torch.no_grad():
        # The file's weights are of 16 bits.
        assert torch.allclose(loaded.maps(picture)[0], teacher.maps(picture)[0], atol=0.02)


def test_without_a_teacher_one_is_told_to_train_it_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs a trained teacher .*focuskit train distill-db"):
        load_teacher(StudentRecipe(teacher=str(tmp_path / "none.safetensors")))


def test_a_file_of_another_network_is_no_teacher(tmp_path: Path) -> None:
    student = DbdganStudent()
    export(student, tmp_path, "other", {"network": {"size": "small"}})

    with pytest.raises(InputError, match=r"another architecture"):
        load_teacher(StudentRecipe(teacher=str(tmp_path / "other.safetensors")))


@pytest.mark.parametrize("recipe", [TeacherRecipe(), StudentRecipe()])
def test_small_networks_start_from_what_imagenet_taught(
    tmp_path: Path, recipe: AdversarialRecipe
) -> None:
    write_encoder(tmp_path / "init" / "mobilenet_v2_imagenet.npz")
    torch.manual_seed(7)
    source = FocusNet(NetworkConfig(8)).encoder

    network = kind_of(recipe).initial(recipe, tmp_path, None)

    taught = source.state_dict()
    held = network.backbone.state_dict()
    assert len(held) > 60
    assert all(torch.allclose(taught[name], x, atol=1e-3) for name, x in held.items())


def test_switches_of_the_recipe_reach_the_network() -> None:
    recipe = TeacherRecipe(dense_aspp=False, attention=False)

    assert fresh_teacher(recipe).config == TeacherConfig("small", False, False)
    assert dbdgan.TEACHER_KIND.facts(fresh_teacher(recipe), None) == {
        "network": {"size": "small", "dense_aspp": False, "attention": False}
    }
