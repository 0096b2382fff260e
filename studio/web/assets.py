"""The web desk's own files over HTTP: fonts, style sheets, the script. Nothing else of the disk."""

from fastapi import APIRouter, Response

from studio.views.look import asset
from studio.web.style import FONTS, style_sheet

_TYPES = {".css": "text/css", ".js": "text/javascript", ".woff2": "font/woff2"}
SERVED = {"web/desk.css": ".css", "web/desk.js": ".js", **dict.fromkeys(FONTS, ".woff2")}


def assets() -> APIRouter:
    """The routes."""
    router = APIRouter()
    sheet = style_sheet()

    @router.get("/look/style.css")
    def style() -> Response:
        return Response(sheet, media_type=_TYPES[".css"])

    @router.get("/look/{name:path}")
    def file(name: str) -> Response:
        if name not in SERVED:
            return Response(status_code=404)
        return Response(asset(name).read_bytes(), media_type=_TYPES[SERVED[name]],
                        headers={"cache-control": "no-cache"})

    return router
