"""Layer masks, channels and selections. They hold shares: no profile's curve lies on them."""

from __future__ import annotations

from gi.repository import Babl, Gegl, Gimp

from job import Picture
from layers import node, put, tones_of

_CHANNEL_OPACITY = 50.0


def selected(source):
    """Return what is selected of the layer, as a u16 Picture; None where nothing is selected."""
    if Gimp.Selection.is_empty(source.image):
        return None
    x, y = source.offset
    return _read(source.image.get_selection(), source, x, y)


def own_mask(source):
    """Return the layer's own mask, as a u16 Picture; None where it has none in use."""
    mask = source.layer.get_mask()
    if mask is None or not source.layer.get_apply_mask():
        return None
    return _read(mask, source, 0, 0)


def focus_map(source, drawable, width, height):
    """Return a channel or layer as a u16 Picture of what is in focus on the source layer.

    Args:
        source: the layer that is worked on.
        drawable: white = in focus; what it does not cover is not.
        width: of the picture in pixels; less than the layer's for a preview.
        height: of the picture in pixels.
    """
    share = width / source.width
    _, x, y = drawable.get_offsets()
    left, top = source.offset[0] - x, source.offset[1] - y
    rect = Gegl.Rectangle.new(round(left * share), round(top * share), width, height)
    name = _name(drawable, "u16")
    if isinstance(drawable, Gimp.Layer):
        name = tones_of(drawable, source.image)
    data = drawable.get_buffer().get(rect, share, name, Gegl.AbyssPolicy.NONE)
    return Picture([data], width, height, 1, "u16")


def product(source, pictures):
    """Return the product of those Pictures that are not None; None if there is none."""
    there = [each for each in pictures if each is not None]
    while len(there) > 1:
        there[:2] = [_times(source, there[0], there[1])]
    return there[0] if there else None


def add_mask(layer, picture):
    """Give a layer a mask, white where there is no picture."""
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    if picture is not None:
        _put(mask, picture)
    layer.add_mask(mask)
    # GIMP makes a new mask what is worked on.
    layer.set_edit_mask(False)


def add_channel(source, name, picture, colour):
    """Add a channel of the image that holds the picture where the layer is; return it."""
    image = source.image
    width, height = image.get_width(), image.get_height()
    channel = Gimp.Channel.new(image, name, width, height, _CHANNEL_OPACITY, Gegl.Color.new(colour))
    channel.fill(Gimp.FillType.TRANSPARENT)
    _put(channel, _on_canvas(source, picture, width, height))
    image.insert_channel(channel, None, 0)
    channel.set_visible(False)
    return channel


def select(source, picture):
    """Make the picture the image's selection."""
    channel = add_channel(source, "focuskit", picture, "red")
    try:
        source.image.select_item(Gimp.ChannelOps.REPLACE, channel)
    finally:
        source.image.remove_channel(channel)


def _read(drawable, source, x, y):
    rect = Gegl.Rectangle.new(x, y, source.width, source.height)
    name = _name(drawable, "u16")
    data = drawable.get_buffer().get(rect, 1.0, name, Gegl.AbyssPolicy.NONE)
    return Picture([data], source.width, source.height, 1, "u16")


def _put(drawable, picture):
    put(drawable.get_buffer(), _name(drawable, picture.dtype), picture)
    drawable.update(0, 0, picture.width, picture.height)


def _name(drawable, dtype):
    """Return babl's name that moves the shares of a mask or channel as they are."""
    model = Babl.format_get_encoding(drawable.get_format()).rsplit(" ", 1)[0]
    return f"{model} {dtype}"


def _times(source, first, second):
    buffers = []
    for picture in (first, second):
        buffer = Gegl.Buffer.new("Y u16", 0, 0, source.width, source.height)
        put(buffer, "Y " + picture.dtype, picture)
        buffers.append(buffer)
    result = Gegl.Buffer.new("Y u16", 0, 0, source.width, source.height)
    graph = Gegl.Node()
    left = node(graph, "gegl:buffer-source", buffer=buffers[0])
    right = node(graph, "gegl:buffer-source", buffer=buffers[1])
    times = node(graph, "gegl:multiply")
    target = node(graph, "gegl:write-buffer", buffer=result)
    left.link(times)
    right.connect_to("output", times, "aux")
    times.link(target)
    target.process()
    data = result.get(source.rect, 1.0, "Y u16", Gegl.AbyssPolicy.NONE)
    return Picture([data], source.width, source.height, 1, "u16")


def _on_canvas(source, picture, width, height):
    """Return the picture where the layer is, on the image's own size."""
    item = len(picture.strips[0]) // (picture.width * picture.height)
    x, y = source.offset
    left, right = max(0, x), min(width, x + picture.width)
    data, rows = memoryview(picture.strips[0]), []
    empty = bytes(width * item)
    for row in range(height):
        inside = row - y
        if left >= right or not 0 <= inside < picture.height:
            rows.append(empty)
            continue
        first = (inside * picture.width + left - x) * item
        part = bytes(data[first : first + (right - left) * item])
        rows.append(bytes(left * item) + part + bytes((width - right) * item))
    return Picture([b"".join(rows)], width, height, 1, picture.dtype)
