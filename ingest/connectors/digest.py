"""Short fingerprints for ids that would otherwise be long or hold account names and addresses."""

from __future__ import annotations

from hashlib import blake2b


def digest(text: str) -> str:
    """18 hexadecimal digits, the same for the same text on every run and machine."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()
