"""``huiyin inbox``: receive what other systems push."""

from __future__ import annotations

from typing import Annotated

import typer

from huiyin.config import load_settings


def inbox(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8090,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Let others in through a proxy with TLS only.")
    ] = "127.0.0.1",
) -> None:
    """Receive signed events of the sources of kind webhook at /hooks/SOURCE and keep them until they are loaded."""
    import uvicorn

    from ingest.connectors.webhook.server import create_app

    app = create_app(load_settings())
    # Paths may carry a sender's parameters: what was received is logged by the application itself.
    uvicorn.run(app, host=host, port=port, access_log=False, log_level="info", server_header=False)
