"""The templates of reports, filled: names and reasons are data, never markup."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **content: Any) -> str:
    """Return a template of ``templates/`` filled with `content`; what goes into HTML is escaped."""
    return _environment().get_template(template).render(**content)


def markdown_text(text: object) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    line = " ".join(str(text).split())
    # An underscore within a word is one to Markdown too.
    return re.sub(r"([\\`*\[\]<>|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", line)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("napari_rdl.cohort"),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = markdown_text
    return environment
