"""Pages as tests read them."""

import re
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import unquote

# Attributes that make a browser fetch something, or go somewhere.
REFERENCES = {"src", "href", "srcset", "xlink:href", "data", "poster", "action", "background"}

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Gathers text, attributes and tags, and whether every tag is closed in its turn."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text, self.attributes = [], Counter(), [], []
        self.is_balanced = True
        self.feed(html)
        self.close()
        self.is_balanced &= not self.open

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.is_balanced &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def values(self, name):
        return [value for _, key, value in self.attributes if key == name]

    def references(self):
        """What the page refers to, but to places within it."""
        targets = [value for _, name, value in self.attributes if name in REFERENCES]
        places = {target for target in targets if target.startswith("#")}
        assert {place[1:] for place in places} <= set(self.values("id"))
        return [target for target in targets if target not in places]

    def check_scripts(self):
        assert not {"script", "iframe", "object", "embed", "base", "form"} & set(self.tags)
        assert not [name for _, name, _ in self.attributes if name.startswith("on")]


def check_alone(html):
    """Checks that a page refers to nothing but what it holds."""
    page = Page(html)
    page.check_scripts()
    assert page.is_balanced
    assert page.tags["link"] == 0
    assert page.tags["style"] == 1
    assert not re.search(r"url\(|@import", html)
    assert all(target.startswith("data:image/png;base64,") for target in page.references())
    return page


def check_strict(path):
    """Checks that a page works under `default-src 'none'; style-src 'self'; img-src 'self'`."""
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    page.check_scripts()
    assert page.is_balanced
    assert page.tags["style"] == 0
    assert not page.values("style")
    assert "data:" not in "".join(page.references())
    assert page.tags["link"] == 1
    for target in page.references():
        assert not re.match(r"[a-z]+:|/", target), target
        content = (path.parent / unquote(target)).read_bytes()
        if target.endswith(".css"):
            assert not re.search(rb"url\(|@import", content)
        else:
            assert content.startswith(b"\x89PNG")
    return page
