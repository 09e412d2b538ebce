"""Runs inside GIMP: bokeh on 24 megapixels, twice, with the plug-in's own parts, and their times.

Called like driver.py; PLUGIN and PHOTO stand before it.
"""

import json
import sys
import time

import gi

gi.require_version("Gegl", "0.4")
gi.require_version("Gimp", "3.0")
from gi.repository import Gegl, Gimp, Gio  # noqa: E402

sys.path.insert(0, PLUGIN)  # noqa: F821
import client  # noqa: E402
import job  # noqa: E402
import layers  # noqa: E402

told = []
once = client.Connection.run


def run(self, *arguments):
    answer = once(self, *arguments)
    told.append(answer["seconds"])
    return answer


client.Connection.run = run
Gegl.init(None)
image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(PHOTO))  # noqa: F821
for _ in range(2):
    start = time.perf_counter()
    source = layers.Source(image, image.get_layers()[-1:], True)
    result = job.Caller("speed").run(
        "bokeh", {"strength": 9.0}, source.picture(), lambda share, text: None
    )
    layer = source.new_layer("Bokeh", result.pictures["picture"])
    image.insert_layer(layer, None, 0)
    seconds = time.perf_counter() - start
    answer = json.dumps({"all": seconds, "work": told[-1]["work"]})
    print("SPEED", answer, flush=True)  # noqa: T201 read by the suite
