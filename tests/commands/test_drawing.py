"""The drawn graph: boxes, edges and sections by module; self-contained; no name is ever markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.analysis.test_residency import LOOP
from ttc.analysis.report import report
from ttc.calls.target import TARGETS
from ttc.commands.drawing import MOST_OPEN, drawing
from ttc.commands.page import write_page
from ttc.runtime.run.program import Program, parse_program

PROGRAM = """graph {
  %x: bf16[64,64] tile dram = input(name="x")
  %w: bf16[64,64] tile dram = const(ref="w")
  %a: bf16[64,64] tile l1 = ttnn.linear(%x, %w)  # encoder.layers.0.fc at m.py:7
  %b: bf16[64,64] tile l1 = ttnn.relu(%a)  # encoder.layers.0 at m.py:8
  %c: bf16[64,64] tile l1 = ttnn.silu(%b)
  ttnn.deallocate(%b)
  %d: bf16[64,64] tile l1 = ttnn.add(%c, %a)  # encoder.layers.1.norm at m.py:9
  %e: bf16[64,64] tile dram = ttnn.add(%d, %d)  # m.py:12
  return "y"=%e
}"""


def sections(text: str) -> list[ElementTree.Element]:
    """The sections of a drawing, which is well-formed."""
    drawn = drawing(parse_program(text)).replace("<details open>", '<details open="">')
    return list(ElementTree.fromstring(f"<div>{drawn}</div>"))


def words(section: ElementTree.Element) -> list[str]:
    """The texts in the boxes of a section."""
    return ["".join(text.itertext()) for text in section.iterfind("svg/g/text")]


def test_sections_are_modules_and_what_has_no_location_stays_where_it_is():
    titles = [section.findtext("summary") for section in sections(PROGRAM)]
    assert titles == ["encoder.layers.0 (4 calls)", "encoder.layers.1 (1 call)", "the model itself (1 call)"]


@pytest.mark.parametrize(
    ("location", "title"),
    [
        ("encoder.layers.12.mlp.fc1 at m.py:7", "encoder.layers.12"),
        ("head.fc at m.py:7", "head"),
        ("conv1 at m.py:7", "conv1"),
        ("blocks.0.layers.1.fc at m.py:7", "blocks.0"),
        ("/encoder/layer.0/attention/MatMul", "encoder/layer.0"),
        ("MatMul_3", "MatMul_3"),
        ("m.py:7", "the model itself"),
    ],
)
def test_the_section_of_a_location(location: str, title: str):
    text = f"""graph {{
      %x: bf16[64,64] tile dram = input(name="x")
      %y: bf16[64,64] tile dram = ttnn.relu(%x)  # {location}
      return "y"=%y
    }}"""
    assert [section.findtext("summary") for section in sections(text)] == [f"{title} (2 calls)"]


def test_boxes_edges_and_operands_from_elsewhere():
    first, second, last = sections(PROGRAM)
    assert words(first)[::2] == [
        "%x = input: bf16[64,64] tile dram",
        "%a = ttnn.linear: bf16[64,64] tile l1",
        "%b = ttnn.relu: bf16[64,64] tile l1",
        "%c = ttnn.silu: bf16[64,64] tile l1",
    ]
    assert words(first)[1::2] == ["", "from %w", "", ""]
    assert len(first.findall("svg/path")) == 3
    assert words(second)[1::2] == ["from %c %a"]
    assert second.findall("svg/path") == []
    assert words(last)[::2] == ["%e = ttnn.add: bf16[64,64] tile dram, the output 'y'"]
    links = [link.get("href") for link in first.iterfind("svg/g/text/a")]
    assert links == ["#x", "#a", "#b", "#c"]
    assert [title.text for title in first.iterfind("svg/g/title")][1] == "encoder.layers.0.fc at m.py:7"


def test_an_edge_past_other_boxes_is_an_arc_beside_them():
    text = PROGRAM.replace("ttnn.silu(%b)", "ttnn.add(%b, %x)")
    edges = [path.get("d", "") for path in sections(text)[0].iterfind("svg/path")]
    assert [("C" in edge, "V" in edge) for edge in edges].count((True, False)) == 1
    assert edges[-1].startswith("M130 14C")
    assert edges[-1].endswith(" 130 98"), "from the first box to the fourth"


def test_a_large_program_is_closed_at_first():
    calls = "\n".join(
        f"%v{i + 1}: bf16[64,64] tile dram = ttnn.relu(%v{i})  # part.{i // 20}" for i in range(MOST_OPEN)
    )
    text = f'graph {{ %v0: bf16[64,64] tile dram = input(name="x")\n{calls}\nreturn "y"=%v{MOST_OPEN} }}'
    assert "<details open>" not in drawing(parse_program(text))
    fewer = text.replace(calls.splitlines()[-1] + "\n", "").replace(f'"y"=%v{MOST_OPEN}', f'"y"=%v{MOST_OPEN - 1}')
    assert drawing(parse_program(fewer)).count("<details open>") == 3


def test_the_body_of_a_loop_is_drawn_inside():
    (section,) = sections(LOOP)
    inside = section.find("details")
    assert inside is not None
    assert inside.findtext("summary") == "a step of %h_n"
    (body,) = inside.findall("details")
    assert any(word.startswith("%new = ttnn.add") for word in words(body))
    assert "from" not in " ".join(words(body)), "what a body reads is the body's own"


EVIL = "</title></svg><script>alert(1)</script><img src=http://x onerror='a'>\"&\x1b[2J\u202e"


class Tags(HTMLParser):
    """All tags and attributes of a page, and its text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.text += data


def test_hostile_names_are_text(tmp_path: Path):
    hostile = json.dumps(EVIL)
    text = PROGRAM.replace('"y"=', f"{hostile}=").replace('name="x"', f"name={hostile}").replace("encoder", EVIL)
    graph = parse_program(text)
    inputs, outputs = (tuple(side.items()) for side in graph.signature())
    program = Program(graph, inputs, outputs, "n150", "bf16")
    write_page(tmp_path / "page.html", EVIL, program, report(graph, TARGETS["n150"]))
    page = (tmp_path / "page.html").read_text()
    found = Tags(page)
    known = "html meta title style h1 h2 p table tr td details summary svg g rect path text a pre span"
    assert found.tags <= set(known.split())
    known = "charset open width height x y rx d href id"
    assert found.attributes <= set(known.split())
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "<script>alert(1)</script>" in found.text, "it is there to be read"
    drawn = drawing(graph)
    ElementTree.fromstring(f"<div>{drawn.replace('<details open>', '<details>')}</div>")
    assert "http" not in page.replace(EVIL, "").replace("src=http://x", ""), "nothing comes from elsewhere"
