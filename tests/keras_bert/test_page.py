import base64

from keras_bert.page import escaped, figures, table, whole_page
from tests.page_parser import Page


def test_escaped():
    assert escaped("<a b='c' & \"d\">\x00\x7f") == (
        "&lt;a b=&#x27;c&#x27; &amp; &quot;d&quot;&gt;\u2400\u2421"
    )
    assert escaped(None) == "None"
    # What HTML or UTF-8 cannot hold.
    assert escaped("a\x85b\ud83dc") == "a\ufffdb\ufffdc"


def test_a_page_holds_all_of_its_parts():
    body = table(("<i>name</i>", "count"), [("a", "1"), ("b", "2")], numbers=(1,))
    image = b"\x89PNG"
    html = whole_page(
        "a & $b", body + figures([('"what" it shows', image)]), style="\n.own { color: red; }\n"
    )
    page = Page(html)
    assert page.is_balanced
    assert "<title>a &amp; $b</title>" in html
    assert "<style>\n:root" in html
    assert ".own { color: red; }\n</style>" in html
    assert page.tags["tr"] == 3
    assert page.values("class").count("number") == 3
    assert page.values("alt") == ['"what" it shows']
    (source,) = page.values("src")
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == image
