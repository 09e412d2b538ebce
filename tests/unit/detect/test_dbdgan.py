from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from focuskit.detect.network import Encoder
from focuskit.detect.systems.dbdgan_student import DbdganStudent, StudentConfig
from focuskit.detect.systems.dbdgan_teacher import (
    DbdganTeacher,
    DenseAspp,
    SelfAttention,
    TeacherConfig,
)
from focuskit.training.export import export
from tests.unit.training._make import one_thread

Either = DbdganTeacher | DbdganStudent
BOTH = (DbdganTeacher, DbdganStudent)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread(), torch.no_grad():
        yield


def _lively(made: type[Either]) -> Either:
    """A random network whose map differs from place to place, unlike a fresh one's."""
    torch.manual_seed(0)
    network = made().eval()
    for module in network.backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):
            nn.init.ones_(parameter)
    nn.init.normal_(network.head.weight, std=0.3)
    # Running statistics as after training.
    network.train()
    for _ in range(20):
        network(_pictures(4, 64, 64))
    return network.eval()


@pytest.fixture(scope="module")
def networks() -> dict[type[Either], Either]:
    with one_thread(), torch.no_grad():
        return {made: _lively(made) for made in BOTH}


def _pictures(count: int, height: int, width: int, seed: int = 1) -> Tensor:
    return torch.rand((count, 3, height, width), generator=torch.Generator().manual_seed(seed))


def _work(network: Either) -> int:
    counter = FlopCounterMode(display=False)
    with counter:
        network.eval().maps(torch.zeros(1, 3, 320, 320, device="meta"))
    return int(counter.get_total_flops())


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("made", BOTH)
@given(rows=st.integers(1, 3), columns=st.integers(1, 3), count=st.integers(1, 2))
@settings(max_examples=6)
def test_the_map_is_a_probability_of_the_pictures_size(
    networks: dict[type[Either], Either],
    made: type[Either],
    rows: int,
    columns: int,
    count: int,
) -> None:
    height, width = made.STRIDE * rows, made.STRIDE * columns

    (found,) = networks[made].maps(_pictures(count, height, width))

    assert found.shape == (count, 1, height, width)
    assert bool(((found >= 0) & (found <= 1)).all())


@pytest.mark.parametrize("made", BOTH)
def test_pictures_of_a_batch_do_not_know_each_other(
    networks: dict[type[Either], Either], made: type[Either]
) -> None:
    network, pictures = networks[made], _pictures(3, 64, 64)

    together = network.maps(pictures)[0]
    alone = torch.cat([network.maps(picture[None])[0] for picture in pictures])

    assert torch.allclose(together, alone, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("made", BOTH)
@pytest.mark.parametrize("size", ["small", "full"])
def test_what_the_student_imitates_has_the_same_strides_in_both(
    made: type[Either], size: str
) -> None:
    with torch.device("meta"):
        network = made.from_facts({"size": size}).eval()
        outputs = network(torch.zeros(2, 3, 64, 96))

    shapes = [tuple(feature.shape) for feature in outputs.features]
    assert shapes == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(network.config.feature_channels, (16, 8, 4), strict=True)
    ]
    assert outputs.in_focus.shape == (2, 1, 64, 96)


def test_the_student_costs_at_most_a_quarter_of_its_teacher() -> None:
    for size in ("small", "full"):
        with torch.device("meta"):
            teacher = DbdganTeacher.from_facts({"size": size})
            student = DbdganStudent.from_facts({"size": size})

        assert _work(student) <= _work(teacher) / 4
        assert _parameters(student) <= _parameters(teacher) / 3


def test_the_small_networks_fit_what_ships() -> None:
    assert 2e6 < _parameters(DbdganTeacher()) < 3e6
    assert 1e5 < _parameters(DbdganStudent()) < 1e6


def test_the_full_teacher_has_the_papers_widths() -> None:
    with torch.device("meta"):
        held = DbdganTeacher(TeacherConfig("full")).state_dict()

    assert [tuple(held[f"decoders.{level}.0.weight"].shape[:2]) for level in range(4)] == [
        (256, 4608),
        (256, 256 + 1024),
        (64, 256 + 512),
        (128, 64 + 256),
    ]
    assert held["attention.query.weight"].shape == (256, 2048, 1, 1)


def test_the_full_student_has_the_papers_widths() -> None:
    with torch.device("meta"):
        held = DbdganStudent(StudentConfig("full")).state_dict()

    ups = [tuple(held[f"steps.{step}.up.weight"].shape) for step in range(5)]
    joined = [tuple(held[f"steps.{step}.layers.0.weight"].shape[:2]) for step in range(5)]
    assert ups == [
        (1536, 512, 2, 2),
        (512, 256, 2, 2),
        (256, 128, 2, 2),
        (128, 64, 2, 2),
        (64, 32, 2, 2),
    ]
    assert joined == [(512, 608), (256, 304), (128, 160), (64, 88), (32, 35)]
    assert held["head.weight"].shape == (1, 32, 1, 1)


@pytest.mark.parametrize(
    ("dense", "attention", "channels"), [(True, False, 448), (False, True, 640)]
)
def test_either_part_of_the_context_can_be_left_out(
    dense: bool, attention: bool, channels: int
) -> None:
    facts: dict[str, Any] = {"size": "small", "dense_aspp": dense, "attention": attention}
    network = DbdganTeacher.from_facts(facts).eval()

    assert network.state_dict()["decoders.0.0.weight"].shape[1] == channels
    assert network.maps(_pictures(1, 32, 48))[0].shape == (1, 1, 32, 48)
    assert asdict(network.config) == facts


def test_the_dilated_encoder_says_the_same_at_every_second_place() -> None:
    """Its last stages are what ImageNet taught them to be, only finer."""
    torch.manual_seed(3)
    teacher = DbdganTeacher()
    strided = Encoder()
    strided.load_state_dict(teacher.backbone.state_dict())
    picture = _pictures(1, 128, 96)

    finest, *_, deep = teacher.backbone(picture)
    same, *_, coarse = strided(picture)

    assert torch.equal(finest, same)
    assert deep.shape == (1, 320, 8, 6)
    assert torch.allclose(deep[..., ::2, ::2], coarse, atol=1e-5)


def test_the_students_encoder_is_the_beginning_of_the_teachers() -> None:
    student, whole = DbdganStudent(), Encoder()
    held = whole.state_dict()
    student.backbone.load_state_dict({key: held[key] for key in student.backbone.state_dict()})
    picture = _pictures(1, 64, 64)

    for own, other in zip(student.backbone(picture)[:3], whole(picture)[:3], strict=True):
        assert torch.equal(own, other)
    assert student.backbone(picture)[3].shape == (1, 96, 4, 4)


def test_attention_adds_nothing_at_first() -> None:
    attention, x = SelfAttention(16), torch.randn(2, 16, 5, 7)

    assert torch.equal(attention(x), x)


def test_attention_sees_everything_and_knows_no_places() -> None:
    torch.manual_seed(0)
    attention, x = SelfAttention(16), torch.randn(1, 16, 5, 7)
    nn.init.ones_(attention.gamma)
    order = torch.randperm(35)

    found = attention(x)
    moved = attention(x.flatten(2)[..., order].reshape(x.shape))
    corner = x.clone()
    corner[..., 0, 0] += 10

    assert torch.allclose(moved.flatten(2), found.flatten(2)[..., order], atol=1e-5)
    assert not torch.allclose(attention(corner)[..., -1, -1], found[..., -1, -1], atol=1e-4)


def test_dense_context_keeps_what_it_got_and_reaches_as_far_as_its_dilations_together() -> None:
    torch.manual_seed(0)
    context = DenseAspp(4, 8, 3, 0.1).eval()
    x = torch.rand(1, 4, 1, 101)
    changed = x.clone()
    changed[..., 50] += 1

    found, other = context(x), context(changed)
    reached = (found != other).any(1)[0, 0].nonzero().flatten()

    assert found.shape == (1, 4 + 4 * 3, 1, 101)
    assert torch.equal(found[:, :4], x)
    assert (int(reached.min()), int(reached.max())) == (50 - 20, 50 + 20)


@pytest.mark.parametrize("made", BOTH)
def test_another_size_is_refused(made: type[Either]) -> None:
    with pytest.raises(ValueError, match="size is small or full, got 'huge'"):
        made.from_facts({"size": "huge"})


@pytest.mark.parametrize("made", BOTH)
def test_the_exported_graph_gives_the_same_map_at_other_sizes(
    networks: dict[type[Either], Either], made: type[Either], tmp_path: Path
) -> None:
    network = networks[made]
    export(network, tmp_path, "dbdgan", {"network": asdict(network.config)})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = str(tmp_path / "dbdgan.onnx")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    for height, width in ((64, 96), (128, 32)):
        pictures = _pictures(1, height, width)
        (found,) = session.run(None, {made.INPUT: pictures.numpy()})
        # The file's weights are of 16 bits.
        assert np.abs(found - network.maps(pictures)[0].numpy()).max() < 0.03
