"""Pages as tests read them."""

from collections import Counter
from html.parser import HTMLParser

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
