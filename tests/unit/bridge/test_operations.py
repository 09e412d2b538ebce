"""What comes back over the bridge is what the command writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from focuskit.batch.maps import COC_STEPS_PER_PX
from focuskit.color import LINEAR_CURVE, encoding_of, linearise
from focuskit.detect import DETECTORS
from focuskit.io.icc import build_profile
from focuskit.io.samples import encode_samples
from focuskit.photo import Photo
from tests.unit.bridge.conftest import HEIGHT, WIDTH, run, said
from tests.unit.bridge.tiny_client import BridgeSaysError, TinyClient

Samples = NDArray[Any]
KINDS = ("u8", "u16", "adobe", "grey", "float")


def _picture(half: NDArray[np.float32], kind: str) -> tuple[Samples, dict[str, Any], bytes | None]:
    """Return samples, what a call says of them, and a profile."""
    if kind == "float":
        return half, {"linear": True}, None
    if kind == "adobe":
        values = encode_samples(half, encoding_of("adobe-rgb"), "u8")
        return values, {"profile": "a.icc"}, build_profile("adobe-rgb")
    values = encode_samples(half, encoding_of("srgb"), "u16" if kind == "u16" else "u8")
    return (values[..., 1].copy() if kind == "grey" else values), {}, None


@pytest.fixture(scope="module")
def commanded(
    half: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Samples]:
    """What `focuskit bokeh` makes of the same samples in files, as shares of white."""
    folder = tmp_path_factory.mktemp("commanded")
    for kind in KINDS:
        values, _, profile = _picture(half, kind)
        photometric = "minisblack" if kind == "grey" else "rgb"
        path = folder / f"{kind}.tif"
        tifffile.imwrite(path, values, photometric=photometric, iccprofile=profile)
    command = [Path(sys.executable).parent / "focuskit", "bokeh", *sorted(folder.glob("*.tif"))]
    options = ["--strength", "3", "--blades", "6", "--detector", "lbp", "--workers", "1"]
    done = subprocess.run(
        [*command, *options, "--output", folder / "out"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = {kind: tifffile.imread(folder / "out" / f"{kind}-bokeh.tif") for kind in KINDS}
    whites = {"uint16": 65535, "float32": 1}
    return {kind: each / np.float64(whites[each.dtype.name]) for kind, each in made.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_bokeh_is_the_commands(
    client: TinyClient, half: NDArray[np.float32], commanded: dict[str, Samples], kind: str
) -> None:
    values, told, profile = _picture(half, kind)
    files = {} if profile is None else {"a.icc": profile}

    result, made = run(client, "bokeh", values, picture=told, files=files, strength=3, blades=6)

    picture = made["picture"]
    assert (picture.dtype, picture.shape) == (values.dtype, values.shape)
    assert result["pictures"]["picture"]["profile"] == told.get("profile")
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[picture.dtype.name]
    wanted = commanded[kind][..., 1] if kind == "grey" else commanded[kind]
    assert np.abs(picture / white - wanted).max() <= 1 / 255
    assert (picture != values).mean() > 0.2


def test_16_bit_steps_are_the_commands_to_the_last(
    client: TinyClient, half: NDArray[np.float32], commanded: dict[str, Samples]
) -> None:
    values, _, _ = _picture(half, "u16")

    _, made = run(client, "bokeh", values, strength=3, blades=6)

    assert np.array_equal(made["picture"], np.rint(commanded["u16"] * 65535))


def test_the_focus_map_is_the_detectors(client: TinyClient, samples: Samples) -> None:
    result, made = run(client, "focus-map", samples)

    found = DETECTORS.get("lbp")(Photo(linearise(samples, encoding_of("srgb"))))
    assert np.abs(made["map"] / 65535 - found.in_focus_probability).max() < 1e-4
    assert np.abs(made["coc"] / COC_STEPS_PER_PX - found.coc_diameter_px).max() < 0.02
    assert 0 < result["facts"]["in_focus_share"] < 1


def test_the_mask_and_the_map_of_a_person_decide(client: TinyClient, samples: Samples) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:20] = 255
    painted = np.zeros((HEIGHT, WIDTH), np.uint16)
    painted[:, WIDTH // 2 :] = 65535
    call = {"mask": said(mask, "mask.raw"), "map": said(painted, "map.raw")}
    files = {"mask.raw": mask.tobytes(), "map.raw": painted.tobytes()}

    _, made = run(client, "bokeh", samples, call=call, files=files, strength=4)

    changed = (made["picture"] != samples).any(axis=2)
    assert not changed[:20].any()
    assert changed[20:, : WIDTH // 4].mean() > 0.9
    assert not changed[:, WIDTH // 2 + 12 :].any()


def test_magnify_and_refocus_change_what_they_should(client: TinyClient, samples: Samples) -> None:
    _, magnified = run(client, "magnify", samples, factor=3)
    point = [WIDTH * 3 // 4, HEIGHT // 2]
    refocused, moved = run(client, "refocus", samples, point=point)

    changed = (magnified["picture"] != samples).any(axis=2)
    assert changed[:, WIDTH // 2 :].mean() > changed[:, : WIDTH // 2].mean()
    assert moved["confidence"].shape == (HEIGHT, WIDTH)
    assert (moved["picture"] != samples).any()
    assert refocused["facts"]["changed_share"] > 0


def test_lengths_are_those_of_the_picture_that_was_sent(
    client: TinyClient, samples: Samples
) -> None:
    _, whole = run(client, "refocus", samples, coc_px=6.0)
    _, preview = run(client, "refocus", samples, call={"scale": 0.25}, coc_px=6.0)

    assert np.array_equal(whole["picture"], preview["picture"])


def test_deblur_gives_its_regions_and_a_mask_of_what_it_changed(
    client: TinyClient, half: NDArray[np.float32]
) -> None:
    # A painted map says which part is out of focus; slight blur everywhere is worth taking back.
    soft = cv2.GaussianBlur(half[:, : WIDTH // 2], (0, 0), 1.2)
    values = encode_samples(np.asarray(soft, np.float32), encoding_of("srgb"), "u8")

    result, made = run(client, "deblur", values, apply=True, detector="reblur")

    kept = [each for each in result["regions"] if each["kept"]]
    assert {"region-" + str(n + 1) for n in range(len(kept))} == {
        name for name in made if name.startswith("region")
    }
    for each in kept:
        x0, y0, x1, y1 = each["box"]
        inside = made[each["picture"]] > 0
        assert inside[y0:y1, x0:x1].sum() == inside.sum() == each["area_px"]
        assert f"σ {each['sigma_px']:.1f} px" in each["name"]
    if "picture" in made:
        changed = (made["picture"] != values).any(axis=2)
        assert not (changed & (made["mask"] == 0)).any()
    assert all(each["text"] for each in result["regions"])
    found, nothing = run(client, "deblur", values, detector="reblur")
    assert "picture" not in nothing
    assert len(found["regions"]) == len(result["regions"])


def test_check_tells_sharp_from_blurred(client: TinyClient, samples: Samples) -> None:
    left, _ = run(client, "check", samples, box=[8, 8, WIDTH // 2 - 16, HEIGHT - 8])
    right, _ = run(client, "check", samples, box=[WIDTH // 2 + 16, 8, WIDTH - 8, HEIGHT - 8])
    plain, _ = run(client, "check", np.full_like(samples, 120))

    assert left["facts"]["in_focus_probability"] > right["facts"]["in_focus_probability"]
    assert left["facts"]["coc_px"] < right["facts"]["coc_px"]
    assert right["facts"]["sigma_px"] == pytest.approx(right["facts"]["coc_px"] / 4, abs=0.01)
    assert plain["facts"]["verdict"] == "cannot-tell"
    assert all(each["facts"]["text"].endswith(".") for each in (left, right, plain))


def test_facts_of_the_camera_are_heard(client: TinyClient, samples: Samples) -> None:
    call = {"facts": {"f_number": 8, "camera": "Canon EOS R5", "odd": [1]}}

    _, made = run(client, "bokeh", samples, call=call, f_number=2.0)

    assert (made["picture"] != samples).any()
    with pytest.raises(BridgeSaysError, match="f/11 would be sharper"):
        run(client, "bokeh", samples, call=call, f_number=11)


def test_progress_rises_to_the_end_and_says_what_is_done(
    client: TinyClient, samples: Samples, tmp_path: Path
) -> None:
    told: list[dict[str, Any]] = []
    folder = tmp_path / "call"
    folder.mkdir(mode=0o700)
    (folder / "picture.raw").write_bytes(np.flipud(samples).tobytes())
    parameters = {"strength": 3, "detector": "lbp"}
    call = {"type": "run", "id": "an id", "operation": "bokeh", "parameters": parameters}
    client.send(call | {"folder": str(folder), "picture": said(samples)})

    result = client.answer(told.append)

    texts = list(dict.fromkeys(each["text"] for each in told))
    shares = [each["fraction"] for each in told if each["fraction"] is not None]
    assert shares == sorted(shares)
    assert texts[-4:] == [
        "Reading the picture",
        "Finding what is in focus",
        "Blurring the background",
        "Writing the result",
    ]
    assert {each["id"] for each in [*told, result]} == {"an id"}


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 400, 3), (33, 17, 1)])
def test_odd_sizes_get_an_answer(client: TinyClient, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).integers(0, 256, shape, np.uint8)

    result, made = run(client, "focus-map", values)

    assert made["map"].shape == shape[:2]
    assert result["seconds"].keys() == {"read", "work", "write"}


def test_linear_samples_of_a_profile_keep_its_primaries(
    client: TinyClient, half: NDArray[np.float32]
) -> None:
    told = {"profile": "a.icc", "linear": True}
    files = {"a.icc": build_profile("rec2020")}

    _, made = run(client, "magnify", half, picture=told, files=files)
    curved = encode_samples(half, encoding_of("rec2020", LINEAR_CURVE), "f32")

    assert np.array_equal(curved, half)
    assert made["picture"].dtype == np.float32
    assert np.abs(made["picture"].mean() - half.mean()) < 0.05
