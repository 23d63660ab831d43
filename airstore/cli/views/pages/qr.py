"""A QR code as a picture within a page."""

from __future__ import annotations

import segno
from markupsafe import Markup


def qr_code(text: str) -> Markup:
    """An SVG that takes the size its place has; a quarter of it may be dirty and it is read still."""
    made = segno.make(text, error="q", micro=False, boost_error=False)
    return Markup(made.svg_inline(omitsize=True, border=4, svgclass="qr", lineclass=None, dark="#000"))  # noqa: S704
