import html
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert.reports.marks import Mark, marked
from tests.page_parser import Page

GAP = " […] "


def plain(page):
    return "".join(Page(page).text)


def marks_in(page):
    """Marked pieces with their classes."""
    return [(kind, html.unescape(t)) for kind, t in re.findall('<mark class="(.*?)">(.*?)<', page)]


def test_marks_overlap_and_keep_their_places():
    page = marked("the cat ran away", [Mark(4, 11, "gold"), Mark(8, 16, "found", "PET")])
    assert page == (
        'the <mark class="gold">cat </mark><mark class="gold found">ran</mark>'
        '<mark class="found"> away</mark><small>PET</small>'
    )


def test_equal_marks_and_empty_ones():
    page = marked("the cat", [Mark(4, 7, "gold"), Mark(4, 7, "gold"), Mark(2, 2, "found")])
    assert page == 'the <mark class="gold">cat</mark>'


def test_text_is_no_markup():
    page = marked("<script>\x00&\ud800", [Mark(1, 7, "gold", "<i>")])
    assert page == (
        '&lt;<mark class="gold">script</mark><small>&lt;i&gt;</small>&gt;\u2400&amp;\ufffd'
    )


def test_long_text_is_cut_around_the_marks():
    text = "".join(chr(0x4E00 + i) for i in range(10_000))
    page = marked(text, [Mark(3000, 3002, "gold"), Mark(7000, 7600, "found")], margin=100)
    assert plain(page) == GAP.join(["", text[2900:3102], text[6900:7100], text[7500:7700], ""])
    assert marks_in(page) == [
        ("gold", text[3000:3002]),
        ("found", text[7000:7100]),
        ("found", text[7500:7600]),
    ]
    assert plain(marked(text, margin=100)) == text[:200] + GAP
    assert plain(marked(text[:210], margin=100)) == text[:210]


def test_however_many_marks_there_are_the_text_stays_short():
    text = "word " * 4000
    marks = [Mark(start, start + 4, "gold") for start in range(0, len(text), 5)]
    page = marked(text, marks)
    assert len(plain(page)) < 5000
    assert page.count("<mark") > 100


@settings(max_examples=40, deadline=None)
@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.integers(-5, 70), st.integers(-5, 70), st.sampled_from("abc"))),
    st.integers(1, 20),
)
def test_every_character_stands_in_its_marks_or_in_none(text, places, margin):
    marks = [Mark(*place) for place in places]
    page = marked(text, marks, margin=1000)
    assert Page(page).is_balanced
    expected = []
    for place, character in enumerate(text):
        kinds = {mark.kind for mark in marks if mark.start <= place < mark.end}
        expected.append((character, kinds))
    found = []
    for kind, inside, outside in re.findall('<mark class="(.*?)">(.*?)</mark>|([^<]+)', page, re.S):
        piece = html.unescape(inside or outside)
        found += [(character, set(kind.split())) for character in piece]
    table = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
    table |= dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
    assert found == [(character.translate(table), kinds) for character, kinds in expected]
    assert Page(marked(text, marks, margin=margin)).is_balanced
