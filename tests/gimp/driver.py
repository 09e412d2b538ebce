"""Runs inside GIMP: does the jobs of a file one after the other, and writes down what came of each.

Called by the Python console of GIMP's batch mode, which knows nothing of the test suite; jobs and
answers are JSON, pixels are raw files beside them.
"""

import json
import os
import traceback

import gi

gi.require_version("Babl", "0.1")
gi.require_version("Gegl", "0.4")
gi.require_version("Gimp", "3.0")
from gi.repository import Babl, Gegl, Gimp, Gio  # noqa: E402

SIDES = ("x", "y", "width", "height")


def main(folder):
    Gegl.init(None)
    with open(os.path.join(folder, "jobs.json"), encoding="utf-8") as file:
        jobs = json.load(file)
    for number, job in enumerate(jobs):
        try:
            answer = do(job, folder, number)
        except Exception:  # noqa: BLE001 whatever it is, the suite is to see it
            answer = {"failed": traceback.format_exc()}
        path = os.path.join(folder, f"answer-{number}.json")
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(answer, file)
        os.rename(path + ".part", path)


def do(job, folder, number):
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(job["file"]))
    if image is None:
        return {"failed": f"GIMP cannot load {job['file']}"}
    for step in job.get("before", ()):
        prepare(image, step)
    layer = chosen(image, job)
    before = dumped(layer, folder, f"{number}-before")
    looks = [looked_at(image, folder, f"{number}-look-before")] if job.get("looks") else []
    known = {item.get_id() for item in items(image)}
    procedure = Gimp.get_pdb().lookup_procedure(job["procedure"])
    if procedure is None:
        return {"failed": f"there is no procedure {job['procedure']}"}
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", image)
    config.set_core_object_array("drawables", [layer] if layer is not None else [])
    for name, value in job.get("arguments", {}).items():
        config.set_property(name, value)
    values = procedure.run(config)
    status = values.index(0)
    answer = {
        "status": status.value_nick.upper().replace("-", "_")
        if hasattr(status, "value_nick")
        else str(status),
        "error": Gimp.get_pdb().get_last_error(),
        "values": [plain(values.index(i)) for i in range(1, values.length())],
        "before": before,
        "after": dumped(layer, folder, f"{number}-after"),
        "selection": list(Gimp.Selection.bounds(image))[1:],
        "layers": [],
        "channels": [],
        "source": [layer.get_name(), *layer.get_offsets()[1:]],
        "space": str(image.get_effective_color_profile().get_label()),
    }
    for position, item in enumerate(image.get_layers()):
        if item.get_id() not in known:
            answer["layers"].append(described(item, folder, f"{number}-layer-{position}"))
            answer["layers"][-1]["position"] = position
    for position, item in enumerate(image.get_channels()):
        if item.get_id() not in known:
            answer["channels"].append(described(item, folder, f"{number}-channel-{position}"))
    mask = layer.get_mask()
    answer["mask"] = dumped(mask, folder, f"{number}-own-mask") if mask is not None else None
    answer["chosen"] = dumped(image.get_selection(), folder, f"{number}-selection")
    answer["place"] = next(
        i for i, item in enumerate(image.get_layers()) if item.get_id() == layer.get_id()
    )
    if job.get("looks"):
        looks.append(looked_at(image, folder, f"{number}-look-after"))
    answer["looks"] = looks
    image.delete()
    return answer


def prepare(image, step):
    """Change the image before the procedure: what a person has done to it already."""
    kind, values = step[0], step[1:]
    layer = image.get_layers()[0]
    if kind == "select":
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *values)
    elif kind == "offset":
        layer.set_offsets(*values)
    elif kind == "alpha":
        layer.add_alpha()
    elif kind == "precision":
        image.convert_precision(getattr(Gimp.Precision, values[0]))
    elif kind == "gray":
        image.convert_grayscale()
    elif kind == "indexed":
        image.convert_indexed(
            Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 64, False, False, ""
        )
    elif kind == "group":
        group = Gimp.GroupLayer.new(image, "group")
        image.insert_layer(group, None, 0)
    elif kind == "path":
        path = Gimp.Path.new(image, "here")
        image.insert_path(path, None, 0)
        path.stroke_new_from_points(
            Gimp.PathStrokeType.BEZIER, [float(v) for v in values * 3], False
        )
    else:
        raise ValueError(kind)


def chosen(image, job):
    return image.get_layers()[job.get("layer", 0)]


def items(image):
    return [*image.get_layers(), *image.get_channels(), *image.get_paths()]


def described(item, folder, name):
    found = dumped(item, folder, name)
    found["name"] = item.get_name()
    found["offset"] = list(item.get_offsets()[1:])
    found["visible"] = item.get_visible()
    mask = item.get_mask() if isinstance(item, Gimp.Layer) else None
    found["mask"] = dumped(mask, folder, name + "-mask") if mask is not None else None
    return found


def dumped(drawable, folder, name):
    """Write a drawable's own samples; return what they are."""
    if drawable is None or (isinstance(drawable, Gimp.Item) and drawable.is_group()):
        return None
    width, height = drawable.get_width(), drawable.get_height()
    rectangle = Gegl.Rectangle.new(0, 0, width, height)
    data = drawable.get_buffer().get(rectangle, 1.0, None, Gegl.AbyssPolicy.NONE)
    path = os.path.join(folder, name + ".raw")
    with open(path, "wb") as file:
        file.write(data)
    return {
        "file": path,
        "width": width,
        "height": height,
        "format": Babl.get_name(drawable.get_format()),
    }


def looked_at(image, folder, name):
    """Write what is seen of an image on its canvas."""
    copy = image.duplicate()
    found = dumped(copy.merge_visible_layers(Gimp.MergeType.CLIP_TO_IMAGE), folder, name)
    copy.delete()
    return found


def plain(value):
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
