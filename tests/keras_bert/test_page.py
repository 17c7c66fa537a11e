import base64

from keras_bert.page import escaped, figures, in_files, table, whole_page, write_page
from tests.page_parser import Page, check_alone, check_strict


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


PNG = b"\x89PNG first"
HOSTILE = '<style>\n"data:image/png;base64,AAAA"</style> style="x" <script src="//x">'


def test_a_page_in_files_holds_nothing_inline(tmp_path):
    images = [(HOSTILE, PNG), ("again", PNG), ("named", PNG + b"2")]
    page = whole_page(HOSTILE, f"<p>{escaped(HOSTILE)}</p>{figures(images)}", style=".own {}")
    # Line ends have a picture.
    shown = HOSTILE.replace("\n", "\u240a")
    assert "".join(check_alone(page).text).count(shown) == 3
    html, files = in_files(page, "my page's files", names={"plot.png": PNG + b"2"})
    assert sorted(name.split("/")[1][:6] for name in files) == ["image-", "plot.p", "style-"]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "page.html").write_text(html)
    strict = check_strict(tmp_path / "page.html")
    assert "".join(strict.text).count(shown) == 3
    # All that was inside the page is beside it.
    style = next(content for name, content in files.items() if name.endswith(".css")).decode()
    assert f"<style>\n{style}</style>" in page


def test_a_written_page_is_replaced_with_its_files(tmp_path):
    path = tmp_path / "deep" / "page.html"
    folder = path.parent / "page_files"
    for image in (b"1", b"2"):
        write_page(path, whole_page("title", figures([("caption", PNG + image)])), "files")
        check_strict(path)
        assert len(list(folder.iterdir())) == 2
        assert len(list(path.parent.iterdir())) == 2
    # What is not the page's stays.
    (folder / "image-1.png").write_bytes(b"mine")
    write_page(path, whole_page("title", "none"), "files")
    assert sorted(file.suffix for file in folder.iterdir()) == [".css", ".png"]
    assert (folder / "image-1.png").read_bytes() == b"mine"
    write_page(path, whole_page("title", "none"))
    check_alone(path.read_text())
