"""Fragments of Chinese from which the demo company's texts are composed.

Each block holds sections ``[name]`` of fragments separated by ``|`` or a line end; ``{p}``, ``{n}`` … are slots
that :class:`huiyin.demo.writer.Writer` fills.
"""

from __future__ import annotations

from . import communication, process, product, service, social, talk

Sections = dict[str, tuple[str, ...]]


def _parse(block: str) -> Sections:
    sections: dict[str, list[str]] = {}
    for line in block.strip().splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
        else:
            current.extend(line.split("|"))
    return {name: tuple(fragments) for name, fragments in sections.items()}


SUBTYPES: dict[str, Sections] = {
    code: _parse(block)
    for module in (process, product, service, communication)
    for code, block in module.PHRASES.items()
}
TALK: Sections = _parse(talk.PHRASES)
SOCIAL: Sections = _parse(social.PHRASES)
