"""Pixels of GIMP's layers, exactly as the image encodes them, and back.

A format name without a colour space means sRGB to GEGL, and converts. A name with the space of the
layer's own format, as babl gives it, moves the samples as they are.
"""

from __future__ import annotations

from array import array

from gi.repository import Babl, Gegl, Gimp

from job import JobError, Picture

# Of one transfer between GIMP and this process.
_STRIP_BYTES = 1 << 26
_CODES = {"u8": "B", "u16": "H", "f32": "I"}
_BABL_TYPES = {"u8": "u8", "u16": "u16", "f32": "float"}
# How far colours reach into what is transparent: each is the background of the one before.
_FILL_SIGMAS_PX = (3.0, 12.0, 48.0, 192.0)
# The bytes of 1 as each kind of sample, lowest first.
_FULL = {"B": b"\xff", "H": b"\xff\xff", "I": b"\x00\x00\x80\x3f"}
_NOT_ZERO = b"\x00" + b"\xff" * 255


class Source:
    """The layer to work on.

    Attributes:
        layer: it.
        image: its image.
        width: in pixels.
        height: in pixels.
        offset: (x, y) of its top left corner in the image.
    """

    def __init__(self, image, drawables, colours):
        """Raise JobError where `drawables` are not one layer that can be worked on.

        Args:
            image: the image.
            drawables: what the user has selected.
            colours: whether the result is a picture, which indexed layers cannot hold.
        """
        layer = _only_layer(drawables)
        if colours and image.get_base_type() == Gimp.ImageBaseType.INDEXED:
            raise JobError(
                "This image is indexed, and its few colours cannot show smooth blur: turn it into "
                "RGB first (Image > Mode > RGB)."
            )
        self.layer, self.image = layer, image
        self.width, self.height = layer.get_width(), layer.get_height()
        _, x, y = layer.get_offsets()
        self.offset = (x, y)
        self._encoding = _Encoding(layer, image)
        self._alpha = None

    @property
    def rect(self):
        """The whole layer, in its own coordinates."""
        return Gegl.Rectangle.new(0, 0, self.width, self.height)

    def picture(self):
        """Return the layer's pixels for the worker; alpha is kept here for `new_layer`."""
        encoding, buffer = self._encoding, self.layer.get_buffer()
        if not encoding.alpha:
            strips = list(_strips(buffer, self.rect, encoding.name(), encoding.pixel_bytes()))
            return encoding.picture(strips, self)
        strips, self._alpha, hidden = [], [], False
        for data in _strips(buffer, self.rect, encoding.name(), encoding.pixel_bytes()):
            colours, alpha = _split(data, encoding)
            hidden = hidden or 0 in _seen(alpha)
            strips.append(colours)
            self._alpha.append(alpha)
        if hidden:
            strips = list(self._filled(strips))
        return encoding.picture(strips, self)

    def preview(self, most_px):
        """Return (Picture of 8-bit sRGB, alpha or None), at most so many pixels long."""
        share = min(1.0, most_px / max(self.width, self.height))
        got = self.layer.get_thumbnail_data(
            max(1, round(self.width * share)), max(1, round(self.height * share))
        )
        data, width, height, each = got[0].get_data(), got[1], got[2], got[3]
        samples, alpha = array("B", data), None
        colours = each - 1 if each in (2, 4) else each
        if colours != each:
            alpha = samples[colours::each]
        rgb = array("B", bytes(width * height * 3))
        for channel in range(3):
            rgb[channel::3] = samples[min(channel, colours - 1) :: each]
        return Picture([rgb.tobytes()], width, height, 3, "u8"), alpha

    def new_layer(self, name, picture):
        """Return a layer of the same size and place, not yet in the image, with these colours.

        Args:
            name: of the layer.
            picture: of the worker, in answer to `picture`.
        """
        layer = Gimp.Layer.new(
            self.image,
            name,
            self.width,
            self.height,
            self.layer.type(),
            100.0,
            self.image.get_default_new_layer_mode(),
        )
        layer.set_offsets(*self.offset)
        self._set_colours(layer, picture)
        return layer

    def new_grey_layer(self, name, picture):
        """Return a layer that shows a map as grey, the same in every channel."""
        grey = Gimp.ImageType.GRAY_IMAGE
        if self.image.get_base_type() == Gimp.ImageBaseType.RGB:
            grey = Gimp.ImageType.RGB_IMAGE
        mode = self.image.get_default_new_layer_mode()
        layer = Gimp.Layer.new(self.image, name, self.width, self.height, grey, 100.0, mode)
        layer.set_offsets(*self.offset)
        encoding = _Encoding(layer, self.image)
        name = encoding.tones(picture.dtype, encoding.channels)
        put(layer.get_buffer(), name, _of_channels(picture, encoding.channels))
        layer.update(0, 0, self.width, self.height)
        return layer

    def _set_colours(self, layer, picture):
        encoding = self._encoding
        size = encoding.pixel_bytes()
        rows = max(1, _STRIP_BYTES // (self.width * size))
        colour_row = picture.width * picture.channels * item_bytes(picture.dtype)
        data = memoryview(picture.strips[0])
        alphas = iter(self._alpha or ())
        buffer = layer.get_buffer()
        for top in range(0, self.height, rows):
            high = min(rows, self.height - top)
            strip = bytes(data[top * colour_row : (top + high) * colour_row])
            if encoding.alpha:
                strip = _joined(strip, next(alphas), encoding)
            buffer.set(Gegl.Rectangle.new(0, top, self.width, high), encoding.name(), strip)
        buffer.flush()
        layer.update(0, 0, self.width, self.height)

    def _filled(self, strips):
        """Yield the strips with the colours around continued into what is wholly transparent."""
        encoding = self._encoding
        solid = Gegl.Buffer.new(encoding.name(), 0, 0, self.width, self.height)
        top = 0
        for index, alpha in enumerate(self._alpha):
            opaque = _opaque(alpha)
            high = len(alpha) // self.width
            rect = Gegl.Rectangle.new(0, top, self.width, high)
            solid.set(rect, encoding.name(), _joined(strips[index], opaque, encoding))
            top += high
        filled = Gegl.Buffer.new(encoding.name(), 0, 0, self.width, self.height)
        graph = Gegl.Node()
        over = front = node(graph, "gegl:buffer-source", buffer=solid)
        for sigma in _FILL_SIGMAS_PX:
            blurred = node(graph, "gegl:gaussian-blur", std_dev_x=sigma, std_dev_y=sigma)
            front.link(blurred)
            joined = node(graph, "gegl:over")
            blurred.connect_to("output", joined, "input")
            over.connect_to("output", joined, "aux")
            over = joined
        target = node(graph, "gegl:write-buffer", buffer=filled)
        over.link(target)
        target.process()
        bare = encoding.name(alpha=False)
        return _strips(filled, self.rect, bare, encoding.pixel_bytes(alpha=False))


class _Encoding:
    """How a layer's samples travel to the worker without being changed.

    Attributes:
        alpha: whether the layer has it.
        channels: 1 or 3, without alpha.
        dtype: of the worker.
        code: of `array` for it.
        linear: whether samples are sent as linear light.
    """

    def __init__(self, layer, image):
        own = layer.get_format()
        self._space = Babl.format_get_space(own)
        self.alpha = bool(layer.has_alpha())
        model, kind = "R'G'B'", "u8"
        if not Babl.format_is_palette(own):
            model, kind = Babl.format_get_encoding(own).rsplit(" ", 1)
        self.channels = 3 if model.startswith("R") else 1
        self.dtype = kind if kind in ("u8", "u16") else "f32"
        self._by_profile = "'" in model
        self.linear = "'" not in model and "~" not in model
        profile = image.get_color_profile()
        if "~" in model and profile is not None:
            # sRGB's curve on other primaries: the profile does not tell it, linear light does.
            self.dtype, self.linear = "f32", True
        self.code = _CODES[self.dtype]
        self._profile = bytes(profile.get_icc_profile()) if profile is not None else None

    def name(self, alpha=None):
        """Return babl's name, with the layer's own colour space."""
        model = ("RGB" if self.linear else "R'G'B'") if self.channels == 3 else "Y'"
        if self.channels == 1 and self.linear:
            model = "Y"
        if self.alpha if alpha is None else alpha:
            model += "A"
        return _spaced(f"{model} {_BABL_TYPES[self.dtype]}", self._space)

    def tones(self, dtype, channels=1):
        """Return babl's name of a grey that looks the same, in numbers of the usual curve."""
        # On layers without the profile's own curve, tones are those of sRGB's.
        name = ("R'G'B' " if channels == 3 else "Y' ") + _BABL_TYPES[dtype]
        return _spaced(name, self._space) if self._by_profile else name

    def pixel_bytes(self, alpha=None):
        """Return bytes per pixel of `name`."""
        has = self.alpha if alpha is None else alpha
        return (self.channels + int(has)) * item_bytes(self.dtype)

    def picture(self, strips, source):
        """Return the strips as the worker's picture."""
        return Picture(
            strips,
            source.width,
            source.height,
            self.channels,
            self.dtype,
            self._profile,
            self.linear,
        )


def _only_layer(drawables):
    if len(drawables) != 1:
        raise JobError(
            f"focuskit works on one layer: select a single one ({len(drawables)} are selected)."
        )
    layer = drawables[0]
    name = layer.get_name()
    if isinstance(layer, Gimp.LayerMask):
        raise JobError("The layer's mask is selected: click on the layer's own picture beside it.")
    if not isinstance(layer, Gimp.Layer):
        raise JobError(f"“{name}” is a channel: select the layer with the photo.")
    if layer.is_group():
        raise JobError(
            f"“{name}” is a layer group: select one layer in it, or make one of what is visible "
            "(Layer > New from Visible)."
        )
    if layer.is_floating_sel():
        raise JobError("The selection floats: anchor it first (Layer > Anchor Layer).")
    if layer.is_text_layer():
        raise JobError(f"“{name}” is text, which has no focus: select the layer with the photo.")
    return layer


def _strips(buffer, rect, name, pixel_bytes):
    rows = max(1, _STRIP_BYTES // (rect.width * pixel_bytes))
    for top in range(0, rect.height, rows):
        high = min(rows, rect.height - top)
        part = Gegl.Rectangle.new(rect.x, rect.y + top, rect.width, high)
        yield buffer.get(part, 1.0, name, Gegl.AbyssPolicy.NONE)


def tones_of(layer, image):
    """Return babl's name of a layer's samples as grey tones of 16 bits."""
    return _Encoding(layer, image).tones("u16")


def put(buffer, name, picture):
    """Fill a buffer with a picture from its top left corner.

    Args:
        buffer: of a drawable, or any.
        name: babl's, of the picture's samples.
        picture: as read from the worker: one strip.
    """
    row = picture.width * picture.channels * item_bytes(picture.dtype)
    rows, data = max(1, _STRIP_BYTES // row), memoryview(picture.strips[0])
    for top in range(0, picture.height, rows):
        high = min(rows, picture.height - top)
        part = Gegl.Rectangle.new(0, top, picture.width, high)
        buffer.set(part, name, bytes(data[top * row : (top + high) * row]))
    buffer.flush()


def node(graph, operation, **settings):
    """Return a new node of a GEGL graph."""
    made = graph.create_child(operation)
    for name, value in settings.items():
        made.set_property(name.replace("_", "-"), value)
    return made


def item_bytes(dtype):
    """Return bytes per sample."""
    return array(_CODES[dtype]).itemsize


def _spaced(name, space):
    return Babl.get_name(Babl.format_with_space(name, space))


def _of_channels(grey, channels):
    """Return a grey Picture with each sample that many times."""
    # From Y' to R'G'B' babl goes through linear light, and misses some curves by 1.2/255.
    values = array(_CODES[grey.dtype], grey.strips[0])
    samples = array(values.typecode, bytes(channels * len(grey.strips[0])))
    for channel in range(channels):
        samples[channel::channels] = values
    return Picture([samples.tobytes()], grey.width, grey.height, channels, grey.dtype)


def _split(data, encoding):
    samples, each = array(encoding.code, data), encoding.channels + 1
    colours = array(encoding.code, bytes(len(data) // each * encoding.channels))
    for channel in range(encoding.channels):
        colours[channel :: encoding.channels] = samples[channel::each]
    return colours.tobytes(), samples[encoding.channels :: each]


def _seen(alpha):
    """Return a byte per sample, 0 where it is wholly transparent, else 255."""
    data, seen = alpha.tobytes(), 0
    for first in range(alpha.itemsize):
        plane = data[first :: alpha.itemsize].translate(_NOT_ZERO)
        seen |= int.from_bytes(plane, "little")
    return seen.to_bytes(len(alpha), "little")


def _opaque(alpha):
    """Return the same samples with 1 for all that is not 0."""
    seen, data = _seen(alpha), bytearray(len(alpha) * alpha.itemsize)
    for first, value in enumerate(_FULL[alpha.typecode]):
        data[first :: alpha.itemsize] = seen.translate(bytes(255) + bytes([value]))
    return array(alpha.typecode, bytes(data))


def _joined(colours, alpha, encoding):
    samples, each = array(encoding.code, colours), encoding.channels + 1
    whole = array(encoding.code, bytes(len(alpha) * each * alpha.itemsize))
    for channel in range(encoding.channels):
        whole[channel::each] = samples[channel :: encoding.channels]
    whole[encoding.channels :: each] = alpha
    return whole.tobytes()
