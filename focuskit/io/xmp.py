"""An XMP packet: read and change single properties, and leave everything else as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree

from focuskit.errors import SidecarConflictError

__all__ = ["MOST_BYTES", "NAMESPACES", "Packet"]

NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "x": "adobe:ns:meta/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "darktable": "http://darktable.sf.net/",
    "focuskit": "focuskit:ns:1.0/",
}
# darktable keeps drawn masks in its sidecars, which takes megabytes; nobody keeps tens of them.
MOST_BYTES = 32 * 1024 * 1024

_RDF = f"{{{NAMESPACES['rdf']}}}"
_ARRAYS = (f"{_RDF}Bag", f"{_RDF}Seq", f"{_RDF}Alt")
_DECLARED = " ".join(
    f'xmlns:{prefix}="{NAMESPACES[prefix]}"'
    for prefix in ("xmp", "dc", "lr", "digiKam", "focuskit")
)
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_EMPTY = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="focuskit">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" {_DECLARED}>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
""".encode()


class Packet:
    """The properties of one photo, each called "prefix:Name" with a prefix of NAMESPACES."""

    def __init__(self, data: bytes | None, name: str) -> None:
        """Parse a packet.

        Args:
            data: the file's content; None for a packet without properties.
            name: what to call it in messages.

        Raises:
            SidecarConflictError: it is too large, no XMP, or more than plain XML.
        """
        self._name = name
        plain = b"" if data is None else data
        self._declared = plain.lstrip(b"\xef\xbb\xbf").startswith(b"<?xml ")
        self._windows = 0 < plain.count(b"\n") == plain.count(b"\r\n")
        self._tree = self._parse(_EMPTY if data is None else data)
        rdf = next(self._tree.getroot().iter(f"{_RDF}RDF"), None)
        if rdf is None:
            raise self._refused("it is XML, but holds no XMP (no rdf:RDF in it)")
        self._rdf = rdf

    def value(self, name: str) -> str | None:
        """Return a simple property as text; None where it is missing or no simple one."""
        tag = _tag(name)
        for each in self._descriptions():
            if tag in each.attrib:
                return str(each.attrib[tag])
            found = each.find(tag)
            if found is not None:
                return None if len(found) else (found.text or "").strip()
        return None

    def items(self, name: str) -> list[str]:
        """Return the texts of an array property; empty where it is missing."""
        found = self._element(name)
        return [] if found is None else [(item.text or "").strip() for item in _items(found)]

    def text(self, name: str) -> str | None:
        """Return a simple property, or the items of an array with commas; None if it is missing."""
        return self.value(name) or ",".join(self.items(name)) or None

    def put(self, name: str, value: str | None) -> None:
        """Set a simple property, or take it away with None.

        Raises:
            SidecarConflictError: it is there as a structure.
        """
        tag = _tag(name)
        done = False
        for each in self._descriptions():
            if tag in each.attrib:
                done = self._put_attribute(each, tag, None if done else value) or done
            for found in each.findall(tag):
                if len(found):
                    raise self._refused(f"its {name} is no simple value")
                if value is None or done:
                    _take_away(found)
                elif (found.text or "").strip() != value:
                    found.text = value
                done = True
        if value is not None and not done:
            self._new(name).text = value

    def put_items(self, name: str, values: Sequence[str], kind: str = "Bag") -> None:
        """Make an array property hold these texts; items that stay keep their place.

        Raises:
            SidecarConflictError: it is there, but not as an array.
        """
        found = self._element(name)
        if found is None:
            if not values or any(_tag(name) in each.attrib for each in self._descriptions()):
                if values:
                    raise self._refused(f"its {name} is no list")
                return
            found = self._new(name)
            etree.SubElement(found, f"{_RDF}{kind}")
        array = next((child for child in found if child.tag in _ARRAYS), None)
        if array is None:
            raise self._refused(f"its {name} is no list")
        left = list(values)
        for item in _items(found):
            text = (item.text or "").strip()
            if text in left:
                left.remove(text)
            else:
                _take_away(item)
        for text in left:
            etree.SubElement(array, f"{_RDF}li").text = text
        if not any(True for _ in _items(found)):
            _take_away(found)

    def to_bytes(self) -> bytes:
        """Return the packet as UTF-8, with the ends of lines that it had."""
        data: bytes = etree.tostring(self._tree, encoding="utf-8", xml_declaration=False)
        data = (_DECLARATION if self._declared else b"") + data
        data = data if data.endswith(b"\n") else data + b"\n"
        return data.replace(b"\n", b"\r\n") if self._windows else data

    def _parse(self, data: bytes) -> Any:
        if len(data) > MOST_BYTES:
            raise self._refused(f"it has {len(data) / 1e6:.0f} MB, more than any sidecar")
        # Whatever the width of its characters.
        plain = data.replace(b"\0", b"")
        if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
            raise self._refused("it declares a document type or entities, which no XMP needs")
        parser = etree.XMLParser(
            resolve_entities=False,
            load_dtd=False,
            dtd_validation=False,
            no_network=True,
            huge_tree=False,
            strip_cdata=False,
        )
        try:
            tree = etree.ElementTree(etree.fromstring(data, parser))
        except (etree.XMLSyntaxError, ValueError) as exc:
            raise self._refused(f"it is not well-formed XML ({_first_line(exc)})") from exc
        if tree.docinfo.doctype:
            raise self._refused("it declares a document type, which no XMP needs")
        return tree

    def _refused(self, why: str) -> SidecarConflictError:
        return SidecarConflictError(
            f"{self._name} is left as it is: {why}. Repair it, or move it away and repeat."
        )

    def _descriptions(self) -> Iterator[Any]:
        yield from self._rdf.iterchildren(f"{_RDF}Description")

    def _element(self, name: str) -> Any:
        tag = _tag(name)
        return next(
            (found for each in self._descriptions() for found in each.iterchildren(tag)), None
        )

    def _put_attribute(self, owner: Any, tag: str, value: str | None) -> bool:
        if value is None:
            del owner.attrib[tag]
        elif owner.attrib[tag] != value:
            owner.attrib[tag] = value
        return True

    def _new(self, name: str) -> Any:
        owner = next(self._descriptions(), None)
        if owner is None:
            owner = etree.SubElement(self._rdf, f"{_RDF}Description")
            owner.set(f"{_RDF}about", "")
        prefix = name.partition(":")[0]
        last = owner[-1] if len(owner) else None
        made = etree.SubElement(owner, _tag(name), nsmap={prefix: NAMESPACES[prefix]})
        # On a line of its own, as deep as its neighbours.
        if last is None:
            made.tail, owner.text = owner.text, (owner.text or "\n  ").rstrip(" ") + "   "
        else:
            made.tail, last.tail = last.tail, owner.text
        return made


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _items(found: Any) -> list[Any]:
    return [
        item for array in found.iterchildren(*_ARRAYS) for item in array.iterchildren(f"{_RDF}li")
    ]


def _take_away(element: Any) -> None:
    """Remove an element and keep the white space that stood behind it."""
    parent, before = element.getparent(), element.getprevious()
    if element.tail and element.tail.strip():
        if before is None:
            parent.text = (parent.text or "") + element.tail
        else:
            before.tail = (before.tail or "") + element.tail
    parent.remove(element)


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or ["no detail"])[0]
