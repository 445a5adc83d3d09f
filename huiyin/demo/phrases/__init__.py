"""Fragments of Chinese from which the demo company's texts are composed.

Each block holds sections ``[name]`` of fragments separated by ``|`` or a line end; ``{p}``, ``{n}`` … are slots
that :class:`huiyin.demo.writer.Writer` fills; ``@wash,air`` at the end keeps a fragment to these kinds of product.
"""

from __future__ import annotations

from huiyin.demo.company import PRODUCTS

from . import communication, process, product, service, social, talk

ANY = ""

# By section, then by kind of product; ``ANY`` holds all of a section's fragments.
Sections = dict[str, dict[str, tuple[str, ...]]]
_KINDS = tuple(dict.fromkeys(product.kind for product in PRODUCTS))


def _parse(block: str) -> Sections:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in block.strip().splitlines():
        if line.startswith("["):
            current = found.setdefault(line.strip("[]"), [])
        else:
            for fragment in line.split("|"):
                text, _, kinds = fragment.partition("@") if fragment[-1].isascii() else (fragment, "", "")
                current.append((text, kinds))
    return {
        name: {ANY: tuple(text for text, _ in fragments)}
        | {kind: tuple(text for text, kinds in fragments if not kinds or kind in kinds.split(",")) for kind in _KINDS}
        for name, fragments in found.items()
    }


SUBTYPES: dict[str, Sections] = {
    code: _parse(block)
    for module in (process, product, service, communication)
    for code, block in module.PHRASES.items()
}
TALK: Sections = _parse(talk.PHRASES)
SOCIAL: Sections = _parse(social.PHRASES)
