"""A page for the browser: one file of HTML with everything inside, for light and dark screens."""

import base64
import html
import string
from collections.abc import Iterable, Sequence
from typing import Any

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
        data = base64.b64encode(image).decode("ascii")
        text = escaped(caption)
        parts.append(
            f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
            f"<figcaption>{text}</figcaption></figure>"
        )
    return "\n".join(['<div class="plots">', *parts, "</div>"])
