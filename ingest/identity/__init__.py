"""One customer across phone, app, WeChat, e-mail and social handle, from pseudonyms alone.

A *ref* is the pseudonym by which a source knows somebody; a *person* is a set of refs, called by the ref known longest.
``resolve`` links refs that hold the same identifier or match by score, under what people decided; the mart reads
``raw.identity``. Reasons and limits: docs/identity.md.
"""

from ingest.identity.resolve import IdentityReport, resolve

__all__ = ["IdentityReport", "resolve"]
