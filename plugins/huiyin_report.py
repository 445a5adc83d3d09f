"""Shows the committee's latest report inside Airflow's UI, to whoever has signed in there."""

from __future__ import annotations

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from huiyin.config import load_settings

# The report is data: it may run its own inline charts and nothing else. As a sandbox without allow-same-origin it has
# an origin of its own, so even a script smuggled into a customer's text couldn't read the session or call Airflow.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts allow-popups"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
NO_REPORT = """<!doctype html><html lang="zh"><meta charset="utf-8"><title>回音 Huiyin</title>
<body style="font-family: sans-serif; margin: 3em">
<h1>还没有报告</h1>
<p>运行 DAG <code>improvement_loop</code>(或命令 <code>huiyin run</code>)后,最新的改进报告会显示在这里。</p>
<p lang="en">No report yet: it appears here once the DAG <code>improvement_loop</code> has run.</p></body></html>"""

app = FastAPI(title="Huiyin report", docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/latest")
def latest(_user: GetUserDep) -> Response:
    """The latest report. 401 without Airflow's session cookie or token."""
    return _page("latest.html")


@app.get("/models.html")
def models(_user: GetUserDep) -> Response:
    """The cards of the models, to which the report links. 401 without Airflow's session cookie or token."""
    return _page("models.html")


def _page(name: str) -> Response:
    file = load_settings().reports_dir / name
    if not file.is_file():
        return HTMLResponse(NO_REPORT, headers=HEADERS)
    return Response(file.read_bytes(), media_type="text/html; charset=utf-8", headers=HEADERS)


class HuiyinReportPlugin(AirflowPlugin):
    """The page `/huiyin/latest` and its place in the navigation."""

    name = "huiyin_report"
    fastapi_apps = [  # noqa: RUF012 (Airflow declares it so)
        {"app": app, "url_prefix": "/huiyin", "name": "Huiyin report"}
    ]
    # Relative to Airflow's base URL, so that it works behind a reverse proxy with a path.
    external_views = [  # noqa: RUF012
        {
            "name": "改进报告 Report",
            "href": "huiyin/latest",
            "destination": "nav",
            "category": "browse",
            "url_route": "huiyin-report",
        }
    ]
