"""What MkDocs calls while it builds the site (mkdocs.yml): generated pages, links, drawings."""

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # started as `mkdocs`, Python looks elsewhere

from docs.builder.reference import reference_pages
from docs.builder.repository import linked_pages, relink

__all__ = ["on_files", "on_page_content", "on_page_markdown"]

DRAWING = re.compile(r'<p><img alt="(?P<alt>[^"]*)" src="(?P<source>[^"]+\.svg)" ?/></p>')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that code writes, and those of the repository's files that pages link to."""
    generated = reference_pages()
    written = {file.src_uri: file.content_string for file in files.documentation_pages()}
    generated |= linked_pages(written | generated)
    for uri, text in generated.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links out of docs/ lead to the pages of what they name."""
    return relink(markdown, page.file.src_uri)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A drawing that stands alone becomes a part of the page, so that it takes the page's colours."""

    def inline(image: re.Match[str]) -> str:
        uri = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.dest_uri), image["source"]))
        drawing = files.get_file_from_path(uri)
        if drawing is None:
            return image[0]
        svg = drawing.content_string.partition("<svg")[2]
        return f'<figure class="drawing"><svg role="img" aria-label="{image["alt"]}"{svg}</figure>'

    return DRAWING.sub(inline, html)
