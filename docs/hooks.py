"""What mkdocs cannot do by itself: equations without scripts, and pages that lie outside docs/."""

from __future__ import annotations

import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = (
    "training/shipped-weights/*.md",
    "training/shipped-weights/*.png",
    "training/results/*.md",
    "training/results/*.png",
)
_EQUATION = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^$\n]+?)\$(?![\w$])", re.DOTALL)
_ELSEWHERE = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
_PLACE = "equation{}placed"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the records of what was trained, so that pages can point to figures instead of repeating them."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point at the added pages and from them back; take equations out, so that Markdown leaves them alone."""
    if page.file.src_uri.startswith("training/"):
        markdown = markdown.replace("](../../docs/", "](../../")
    markdown = markdown.replace("](../training/", "](training/")
    if not page.meta.get("math"):
        return markdown
    page.meta["equations"] = equations = []

    def take_out(found: re.Match[str]) -> str:
        display = "block" if found["block"] else "inline"
        equations.append(convert((found["block"] or found["inline"]).strip(), display=display))
        return _PLACE.format(len(equations) - 1)

    return _EQUATION.sub(take_out, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the equations back as MathML, which browsers draw by themselves."""
    for number, equation in enumerate(page.meta.get("equations", ())):
        html = html.replace(_PLACE.format(number), equation)
    return html


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that loads anything from elsewhere: the site works offline."""
    if found := _ELSEWHERE.search(output):
        raise PluginError(f"{page.file.src_uri} loads {found[0]}: keep it in the site.")
    return output
