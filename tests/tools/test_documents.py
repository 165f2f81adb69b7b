"""The pages around the chapters hold: links, targets, names, messages."""

import ast
import json
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "book").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]
MEASURED = ROOT / "benchmarks/results/notebooks.json"
LAST_CHAPTER = 20

each_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: path.name
)


def chapters():
    """Return the stems of the chapters that stand, by number."""
    found = sorted((ROOT / "chapters").glob("[0-9][0-9]_*.py"))
    return {path.name[:2]: path.stem for path in found}


def without_code(text):
    """Return Markdown without its fenced blocks and code spans."""
    text = re.sub(r"^```\w*\n.*?^```$", "", text, flags=re.S | re.M)
    return re.sub(r"`[^`\n]+`", "", text)


def anchors(path):
    """Return the anchors of a page's headings, as GitHub and MyST do."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.M)
    kept = [re.sub(r"[^\w\s-]", "", each.lower()) for each in headings]
    return {each.strip().replace(" ", "-") for each in kept}


@each_document
def test_every_relative_link_leads_somewhere(path):
    text = without_code(path.read_text("utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    targets += re.findall(
        r"^```\{image\} (\S+)", path.read_text("utf-8"), re.M
    )
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        aim = (path.parent / name).resolve() if name else path
        assert aim.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in anchors(aim), f"{path.name} links to {target}"


@each_document
def test_every_picture_has_an_alternative_text(path):
    text = path.read_text("utf-8")
    for alt, target in re.findall(r"!\[(.*?)\]\((.+?)\)", text, re.S):
        assert len(alt) > 20, f"{target} has no alternative text"
    directive = r"^```\{image\}[^\n]*\n(.*?)^```"
    for options in re.findall(directive, text, re.S | re.M):
        assert re.search(r"^:alt: .{20,}", options, re.M)


@each_document
def test_every_target_named_exists(path):
    from tools.targets import TARGETS

    text = path.read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    rules = set(re.findall(r"^([a-z]+):", makefile, re.M))
    spans = re.findall(r"`([^`\n]+)`", text)
    blocks = re.findall(r"^```(?:bash|text)\n(.*?)^```", text, re.S | re.M)
    lines = [line for block in blocks for line in block.splitlines()]
    for command in [*spans, *lines]:
        words = command.split()
        if words[:1] == ["make"] and words[1:]:
            assert words[1] in rules | {"TARGET"}, command
        call = re.search(r"python -m tools(?: (\w+))?", command)
        if call and call[1]:
            assert call[1] in set(TARGETS) | {"TARGET"}, command


@each_document
def test_the_words_are_ours(path):
    text = without_code(path.read_text("utf-8")).lower()
    text = re.sub(r"\]\([^)]*\)", "]", text)  # file names aside
    for word in ("simply", "obviously", "just", "of course", "powerful"):
        assert not re.search(rf"\b{word}\b", text), f"{path.name}: {word}"
    for word in ("colour", "licence", "behaviour", "modelling"):
        assert word not in text, f"{path.name}: {word}"
    of_one_machine = r"(?<![\w.])/(home|root|tmp|work)/|\bissue #?\d"
    assert not re.search(of_one_machine, path.read_text("utf-8"))


def rows_of(text):
    """Return the cells of a Markdown table's rows that start with NN."""
    lines = re.findall(r"^\| .*\|$", text, re.M)
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    return {
        number[0]: row
        for row in cells
        if (number := re.search(r"\b\d\d\b", row[0]))
    }


def test_the_index_says_which_chapters_stand():
    rows = rows_of((ROOT / "book/index.md").read_text("utf-8"))
    assert sorted(rows) == [f"{n:02d}" for n in range(LAST_CHAPTER + 1)]
    for number, row in rows.items():
        stem = chapters().get(number)
        if stem:
            assert f"(../chapters/{stem}.ipynb)" in row[1]
        else:
            assert "(planned)" in row[1]
            assert "](" not in row[1]


def test_every_page_is_in_the_contents():
    contents = (ROOT / "_toc.yml").read_text("utf-8")
    listed = set(re.findall(r"(?:root|file): (\S+)", contents))
    assert {f"book/{page.stem}" for page in PAGES} <= listed
    assert {f"chapters/{stem}" for stem in chapters().values()} <= listed


@pytest.mark.parametrize("number", sorted(chapters()))
def test_the_readme_has_a_row_for_each_chapter(number):
    rows = rows_of((ROOT / "README.md").read_text("utf-8"))
    stem = chapters()[number]
    title, modules, exercise, minutes = rows[number]
    assert f"chapters/{stem}.ipynb" in title
    heading = (ROOT / f"chapters/{stem}.py").read_text("utf-8")
    name = re.search(r"^# # (.+)$", heading, re.M)
    assert name, f"chapters/{stem}.py has no title"
    assert f"[{name[1]}]" in title
    assert f"exercises/{stem}.ipynb" in exercise
    listed = set(re.findall(r"`(\w+)`", modules))
    used = set(re.findall(r"^(?:from|import) bertbook\.(\w+)", heading, re.M))
    used |= set(re.findall(r"^from bertbook import (\w+)", heading, re.M))
    shown = set(
        re.findall(r"^from bertbook\.(\w+) import .*# @show", heading, re.M)
    )
    assert listed <= used, f"chapter {number} imports no {listed - used}"
    assert shown <= listed, f"chapter {number} shows {shown - listed}"
    assert minutes == measured_minutes(stem)


def measured_minutes(stem):
    """Return what the README's last column owes this stem's notebooks."""
    if not MEASURED.exists():
        return "not yet measured"
    times = json.loads(MEASURED.read_text("utf-8"))["notebooks"]
    times = {name.removesuffix(".ipynb"): row for name, row in times.items()}
    names = [f"{folder}/{stem}" for folder in ("chapters", "solutions")]
    if not all(name in times for name in names):
        return "not yet measured"
    return f"{sum(times[name]['seconds'] for name in names) / 60:.1f}"


@cache
def messages():
    """Return every string of the library and the tools, f-strings too."""
    found = []
    for folder in ("bertbook", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant):
                    found.append(str(node.value))
    template = ROOT / "tools/notebooks/setup_template.py"
    return "\n".join([*found, template.read_text("utf-8")])


def test_every_message_of_the_trouble_table_is_a_real_one():
    text = (ROOT / "book/setup.md").read_text("utf-8")
    _, _, section = text.partition("## When something goes wrong")
    table = re.findall(r"^\| (`.+?) \|", section, re.M)
    assert len(table) > 10
    for row in table:
        for part in re.findall(r"`([^`]+)`", row):
            assert part in messages(), f"nothing says {part!r}"


def test_our_names_in_the_notation_are_real():
    """Each name of bertbook that the page points to can be imported."""
    text = (ROOT / "book/notation.md").read_text("utf-8")
    for module in re.findall(r"`bertbook\.(\w+)`", text):
        import_module(f"bertbook.{module}")
    masks = import_module("bertbook.masks")
    for name in re.findall(r"`(as_\w+|\w+_mask)\(", text):
        assert hasattr(masks, name), f"bertbook.masks has no {name}"


def table_of(text, heading):
    """Return a section's table as rows of cells, without its head."""
    section = text.partition(f"### {heading}\n")[2].partition("\n#")[0]
    lines = re.findall(r"^\|.*\|$", section, re.M)[2:]
    return [[c.strip() for c in line.strip("|").split("|")] for line in lines]


def test_hugging_face_names_in_the_notation_are_real():
    from torch import nn
    from transformers import BertConfig
    from transformers.models.bert.modeling_bert import BertLayer

    from bertbook.attention import MultiHeadAttention
    from bertbook.seq2seq import Seq2SeqConfig
    from bertbook.transformer import TransformerConfig

    text = (ROOT / "book/notation.md").read_text("utf-8")
    config = BertConfig(
        hidden_size=12, num_attention_heads=3, intermediate_size=24
    )
    sizes = table_of(text, "Sizes")
    assert len(sizes) > 5
    for row in sizes:
        for name in re.findall(r"[a-z_]{3,}", row[1]):
            assert hasattr(config, name), f"BertConfig has no {name}"
    ours = {row[0].strip("`") for row in sizes} - {"d_head"}
    assert ours <= set(TransformerConfig.__dataclass_fields__)
    recurrent = table_of(text, "Recurrent models (chapter 01)")
    assert {row[0].strip("`") for row in recurrent[:-1]} <= set(
        Seq2SeqConfig.__dataclass_fields__
    )

    rows = table_of(text, "Parameters of one attention layer")
    assert len(rows) == 4
    owners = (
        MultiHeadAttention(12, 3),
        BertLayer(config).attention,
        nn.MultiheadAttention(12, 3),
    )
    for row in rows:
        for cell, owner in zip(row, owners, strict=False):
            name = re.findall(r"`([\w.]+)", cell)[0]
            assert name in dict(owner.named_parameters()), name


def test_the_glossary_is_in_order_and_defines_once():
    text = (ROOT / "book/glossary.md").read_text("utf-8")
    terms = re.findall(r"^(\S.*)\n  \S", text, re.M)
    assert len(terms) > 40
    assert terms == sorted(terms, key=str.casefold)
    assert len({term.casefold() for term in terms}) == len(terms)


def test_the_glossary_has_the_words_of_the_first_chapters():
    text = (ROOT / "book/glossary.md").read_text("utf-8")
    terms = set(re.findall(r"^(\S.*)\n  \S", text, re.M))
    owed = """query key value score attention·weight softmax head seed mask
    context·vector encoder decoder teacher·forcing exact·match token claim
    self-attention intra-attention cross-attention saturation spread"""
    assert {word.replace("·", " ") for word in owed.split()} <= terms


INFLECTED = {
    "dilated": "dilation",
    "padded": "padding",
    "saturated": "saturation",
    "weights": "attention weight",
}
NO_TERMS = {"bug hunt", "column", "row", "sort ten digits"}
NO_TERMS |= {"tired", "wide", "suitcase", "trophy"}
"""Bold in a chapter for another reason than that a word is defined there."""


@pytest.mark.parametrize("number", sorted(chapters()))
def test_the_glossary_has_every_word_a_chapter_defines(number):
    """A chapter sets a word in bold, in lower case, where it defines it."""
    source = ROOT / f"chapters/{chapters()[number]}.py"
    text = "\n".join(
        line[2:]
        for line in source.read_text("utf-8").splitlines()
        if line.startswith("# ")
    )
    defined = set(re.findall(r"\*\*([a-z][a-zA-Z -]+)\*\*", text))
    page = (ROOT / "book/glossary.md").read_text("utf-8")
    terms = set(re.findall(r"^(\S.*)\n  \S", page, re.M))
    for word in sorted(defined - NO_TERMS):
        forms = {word, word.removesuffix("s"), INFLECTED.get(word, word)}
        forms |= {term for term in terms if term.startswith(f"{word} ")}
        assert forms & terms, f"the glossary does not explain {word!r}"


def test_the_citation_names_no_invented_person():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "the bertbook authors"}]
    for field in ("message", "title", "type", "version", "license"):
        assert citation[field]
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'version = "{citation["version"]}"' in settings


def test_the_readme_warns_about_full_scale():
    text = (ROOT / "README.md").read_text("utf-8")
    plain = " ".join(text.replace("*", "").split())
    assert "Full scale is tested on mirrors" in plain
    assert "not on the Hub's data" in plain


def test_the_map_shows_every_chapter_on_a_ground_of_its_own():
    drawing = (ROOT / "book/figures/map.svg").read_text("utf-8")
    numbers = re.findall(r">(\d\d)</text>", drawing)
    assert numbers == [f"{n:02d}" for n in range(LAST_CHAPTER + 1)]
    assert re.search(r'<rect width="\d+" height="\d+" .*fill="#', drawing)
