"""Links that leave docs/: each file or directory of the repository that a page links to becomes a page of the site.

So a link is written as it works in the repository, ``[the plugin](../examples/plugin_half.py)``, and the site is whole
without a network and without knowing where the repository is kept. A link to nothing stays, and fails the build.
"""

import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["ROOT", "SOURCE", "linked_pages", "relink", "source_uri"]

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs"
SOURCE = "source"  # the folder of those pages in the site

LINK = re.compile(r"(?<=\]\()(?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
FENCE = re.compile(r"^ *(`{3,}|~{3,})")
CODE_SPAN = re.compile(r"(`[^`\n]*`)")
LANGUAGES = {".c": "c", ".h": "c", ".S": "gas", ".py": "python", ".toml": "toml", ".yml": "yaml", ".json": "json"}
HIDDEN = re.compile(r"^\.|^__pycache__$|^build$|\.o$")


def source_uri(path: str) -> str:
    """The site's page of a file or directory of the repository."""
    return f"{SOURCE}/{path}" if path.endswith(".md") else f"{SOURCE}/{path}.md"


def repository_path(uri: str) -> str:
    """What a page of the site is in the repository."""
    if not uri.startswith(SOURCE + "/"):
        return f"{DOCS}/{uri}"
    path = uri.removeprefix(SOURCE + "/")
    return path if (ROOT / path).exists() else path.removesuffix(".md")


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text with everything changed that is neither in a fenced block nor a code span."""
    lines, fence = [], ""
    for line in text.split("\n"):
        found = FENCE.match(line)
        if fence:
            fence = "" if found and found[1].startswith(fence) else fence
        elif found:
            fence = found[1]
        else:
            line = "".join(p if p.startswith("`") and len(p) > 1 else change(p) for p in CODE_SPAN.split(line))
        lines.append(line)
    return "\n".join(lines)


def _destination(target: str, uri: str) -> str | None:
    """The page of the site that a link on the page ``uri`` leads to; None for one that leaves the repository."""
    if "://" in target or target.startswith(("mailto:", "/")):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(repository_path(uri)), target))
    if path.startswith(DOCS + "/"):
        return path.removeprefix(DOCS + "/")
    return source_uri(path) if not path.startswith("..") and (ROOT / path).exists() else None


def relink(text: str, uri: str) -> str:
    """The page ``uri`` with its links as they are in the site."""

    def new(link: re.Match[str]) -> str:
        page = _destination(link["target"], uri)
        if page is None:
            return link[0]
        return posixpath.relpath(page, posixpath.dirname(uri) or ".") + (link["anchor"] or "")

    return _outside_code(text, lambda part: LINK.sub(new, part))


def linked_pages(pages: Mapping[str, str]) -> dict[str, str]:
    """Pages, by their place in the site, of all that these pages and the pages found link to outside of docs/."""
    found: dict[str, str] = {}
    waiting = list(pages.items())
    while waiting:
        uri, text = waiting.pop()
        for page in sorted(_destinations(text, uri)):
            if page not in found:
                found[page] = _page(repository_path(page))
                waiting.append((page, found[page]))
    return found


def _destinations(text: str, uri: str) -> set[str]:
    pages: set[str] = set()

    def note(part: str) -> str:
        pages.update(filter(None, (_destination(link["target"], uri) for link in LINK.finditer(part))))
        return part

    _outside_code(text, note)
    return {page for page in pages if page.startswith(SOURCE + "/")}


def _page(path: str) -> str:
    """The page of a file or a directory."""
    file = ROOT / path
    if file.is_dir():
        names = sorted(inner.name for inner in file.iterdir() if not HIDDEN.search(inner.name))
        return _titled(path + "/", "\n".join(f"- [{name}]({file.name}/{name})" for name in names))
    if file.suffix == ".md":
        return file.read_text()
    try:
        text = file.read_text()
    except UnicodeDecodeError:
        return _titled(path, f"A binary file of {file.stat().st_size:,} bytes.")
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return _titled(path, f"{fence}{LANGUAGES.get(file.suffix, 'text')}\n{text.rstrip()}\n{fence}")


def _titled(title: str, body: str) -> str:
    return f"---\nsearch:\n  exclude: true\n---\n\n# {title}\n\n{body}\n"
