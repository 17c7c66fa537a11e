"""A page for the browser, for light and dark screens: one file of HTML with everything inside.

`in_files` makes several files of it, for servers with a strict content policy. For its sake pages
have no scripts and no `style` attributes: what depends on a number is said by a class or by
attributes of SVG.
"""

import base64
import hashlib
import html
import os
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from keras_bert.atomic import new_file

PageForm = Literal["one_file", "files"]
PAGE_HELP = (
    "one_file, with everything inside; or files: style and images stand beside the page, for "
    "servers whose content policy allows nothing inline"
)

# Control characters are not allowed in HTML; Unicode has a picture of those of ASCII. Halves of
# surrogate pairs, which JSON can spell, have no encoding.
_PICTURES = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000)), 0xFFFD),
}

_PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --text: #1c1e21; --dim: #6a6f76; --page: #fff; --panel: #f4f5f7;
  --line: #d9dce1; --first: #1f5fa8; --second: #b2432f; --warning: #fff0b8; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e6ea; --dim: #9aa0a8; --page: #15171a;
  --panel: #1f2226; --line: #383d44; --first: #8fbcf2; --second: #f0a08e; --warning: #574a12; }
  figure img { filter: invert(0.92) hue-rotate(180deg); } }
body { color: var(--text); background: var(--page); font: 15px/1.5 system-ui, sans-serif;
  max-width: 1120px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 1rem 0 .3rem; }
.dim { color: var(--dim); }
.warning { background: var(--warning); border-radius: 6px; padding: .5rem .8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92em; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 600; }
th:first-child, td:first-child { white-space: nowrap; }
td:last-child:not(.number) { min-width: 12rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr));
  gap: 0 2rem; align-items: start; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr));
  gap: 1rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: .5rem; }
figure img { width: 100%; height: auto; display: block; }
figcaption { font-size: .9em; color: var(--dim); }
.sample { background: var(--panel); border-radius: 6px; padding: .5rem .8rem; margin: .7rem 0; }
.sample p { margin: .3rem 0; overflow-wrap: anywhere; }
.head { font-size: .88em; color: var(--dim); }
.label { color: var(--text); font-weight: 600; }
.first { color: var(--first); } .second { color: var(--second); }
$style</style>
</head>
<body>
$body
</body>
</html>
""")


_STYLE = re.compile(r"<style>\n(.*?)</style>", re.DOTALL)
# No text of a page can look so: it has no quotation marks, see `escaped`.
_IMAGE = re.compile(r'"data:image/png;base64,([A-Za-z0-9+/=]*)"')


# Names of files by their content, so that an earlier page has its own until it is replaced.
_NUMBERED = re.compile(r"(image-[0-9a-f]{12}\.png|style-[0-9a-f]{12}\.css)")


class PageFiles(NamedTuple):
    """A page that refers to files beside it.

    Args:
        html: str.
        files: dictionary from paths, relative to the page, to contents.
    """

    html: str
    files: dict[str, bytes]


def in_files(page: str, folder: str = "", *, names: Mapping[str, bytes] | None = None) -> PageFiles:
    """Takes style and images out of a page, so that it works under a strict content policy.

    That is `default-src 'none'; style-src 'self'; img-src 'self'`, or one that allows more.

    Args:
        page: str. What `whole_page` returns.
        folder: str. Where its files are to be, seen from the page; by default beside it.
        names: dictionary or None. Names of images that should have one.

    Example:

    ```python
    html, files = in_files(whole_page("Title", figures([("Caption", image)])), "page_files")
    sorted(files)              # ["page_files/image-0c8a5e...png", "page_files/style-f1f2e0...css"]
    ```
    """
    by_content = {image: name for name, image in (names or {}).items()}
    files: dict[str, bytes] = {}

    def add(content: bytes, name: str) -> str:
        path = f"{folder}/{name}" if folder else name
        files[path] = content
        return escaped(quote(path))

    def style(match: re.Match[str]) -> str:
        content = match[1].encode()
        return f'<link rel="stylesheet" href="{add(content, f"style-{_digest(content)}.css")}">'

    def image(match: re.Match[str]) -> str:
        content = base64.b64decode(match[1])
        return f'"{add(content, by_content.get(content, f"image-{_digest(content)}.png"))}"'

    page = _STYLE.sub(style, page, count=1)
    return PageFiles(_IMAGE.sub(image, page), files)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def folder_of_page(path: str | os.PathLike) -> Path:
    """Returns where style and images of a page in files stand: `NAME_files` beside `NAME.html`."""
    return Path(path).parent / f"{Path(path).stem}_files"


def write_page(path: str | os.PathLike, page: str, form: PageForm = "one_file") -> None:
    """Writes a page, which replaces an earlier one.

    Args:
        path: Of the page.
        page: str. What `whole_page` returns.
        form: str. `"one_file"`, or `"files"`: style and images go to `folder_of_page`; see
            `in_files`.

    Raises:
        OSError: If it cannot be written.
    """
    path, folder = Path(path), folder_of_page(path)
    files: dict[str, bytes] = {}
    if form == "files":
        page, files = in_files(page, folder.name)
    for name, content in files.items():
        with new_file(path.parent / name) as temporary:
            temporary.write_bytes(content)
    with new_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    # Of an earlier page.
    for file in folder.glob("*") if files else ():
        if _NUMBERED.fullmatch(file.name) and f"{folder.name}/{file.name}" not in files:
            file.unlink()


def data_uri(image: bytes) -> str:
    """Returns a PNG image as a value of an attribute."""
    return f"data:image/png;base64,{base64.b64encode(image).decode('ascii')}"


def whole_page(title: str, body: str, *, style: str = "") -> str:
    """Returns a page.

    Args:
        title: str. Any text.
        body: str. HTML.
        style: str. CSS of this kind of page.
    """
    return _PAGE.substitute(title=escaped(title), body=body, style=style.lstrip())


def escaped(value: Any) -> str:
    """Returns a value as text for HTML, in attributes too."""
    return html.escape(str(value).translate(_PICTURES))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Returns a table of cells that are HTML already; columns `numbers` are right-aligned."""
    classes = [' class="number"' if column in numbers else "" for column in range(len(head))]
    lines = ["<tr>", *(f"<th{c}>{cell}</th>" for c, cell in zip(classes, head, strict=True))]
    for row in rows:
        lines += ["</tr>\n<tr>", *(f"<td{c}>{v}</td>" for c, v in zip(classes, row, strict=True))]
    return f'<div class="scroll"><table>\n{"".join(lines)}</tr>\n</table></div>'


def figures(images: Iterable[tuple[str, bytes]]) -> str:
    """Returns figures side by side, from captions and PNG images."""
    parts = []
    for caption, image in images:
        text = escaped(caption)
        parts.append(
            f'<figure><img alt="{text}" src="{data_uri(image)}">'
            f"<figcaption>{text}</figcaption></figure>"
        )
    return "\n".join(['<div class="plots">', *parts, "</div>"])
