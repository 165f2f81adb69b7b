"""What the extension puts where, in notebooks made for the test."""

import json

import pytest
from bertbook_site import facts, glossary, inject, pages, pictures, plans
from bertbook_site.inject import Additions
from docutils import nodes


def markdown(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def code(text, *outputs):
    return {
        "cell_type": "code",
        "metadata": {},
        "source": text,
        "outputs": list(outputs),
    }


def sources(notebook):
    return [cell["source"] for cell in notebook["cells"]]


def chapter():
    return {
        "cells": [
            markdown("# 02 · Title\n\nThe question."),
            code("setup"),
            markdown("## 1 · First\n\nText."),
            markdown("### Under first"),
            code("# not a heading"),
            markdown("```\n## no heading\n```\n\n## 2 · *Second*\n\nText."),
        ]
    }


@pytest.mark.parametrize(
    ("heading", "after", "before"),
    [
        ("First", "# not a heading", "```\n## no heading\n```\n"),
        ("1 · First", "# not a heading", "```\n## no heading\n```\n"),
        ("under first", "# not a heading", "```\n## no heading\n```\n"),
        ("Second", "## 2 · *Second*\n\nText.", None),
    ],
)
def test_markdown_goes_to_the_end_of_its_section(heading, after, before):
    notebook = chapter()
    # The fenced block belongs to the first section: it ends at "Second".
    additions = Additions(at_section_end=[(heading, "NEW")])
    assert inject.apply(notebook, additions) == []
    found = sources(notebook)
    place = found.index("NEW")
    if before is None:
        assert found[place - 1] == after
        assert place == len(found) - 1
    else:
        assert found[place - 1] == before
        assert found[place - 2] == after
        assert found[place + 1].startswith("## 2")


def test_attention_map_leaves_its_script_to_the_site():
    html = ["<attention-map a='1'>x</attention-map>\n", "<script>f()</script>"]
    other = ["<p>y</p><script>g()</script>"]
    outputs = [{"data": {"text/html": lines}} for lines in (html, other)]
    notebook = {"cells": [code("show", *outputs)]}
    inject.drop_scripts(notebook)
    assert outputs[0]["data"]["text/html"] == (
        "<attention-map a='1'>x</attention-map>\n"
    )
    assert outputs[1]["data"]["text/html"] == other


def test_only_the_code_of_a_long_drawing_is_folded():
    def cell(lines, *kinds):
        outputs = [{"data": dict.fromkeys(kinds, "…")}]
        source = "\n".join(["draw()"] * lines)
        return {"source": source, "metadata": {}, "outputs": outputs}

    cells = [
        cell(12, "image/png", "text/plain"),
        cell(3, "image/png"),
        cell(12, "text/plain"),
    ]
    inject.fold_drawings({"cells": cells})
    tags = [cell["metadata"].get("tags") for cell in cells]
    assert tags == [["hide-input"], None, None]


def test_two_items_of_one_section_keep_their_order():
    notebook = chapter()
    pairs = [("Second", "ONE"), ("Second", "TWO")]
    inject.apply(notebook, Additions(at_section_end=pairs))
    assert sources(notebook)[-2:] == ["ONE", "TWO"]


def test_unknown_heading_is_a_problem():
    problems = inject.apply(chapter(), Additions(at_section_end=[("No", "")]))
    assert problems == ["no heading 'No' on this page"]


def test_line_under_the_title():
    notebook = chapter()
    inject.apply(notebook, Additions(under_title="FACTS"))
    assert sources(notebook)[:3] == [
        "# 02 · Title",
        "FACTS",
        "\nThe question.",
    ]


def test_page_without_title_is_a_problem():
    notebook = {"cells": [code("x = 1")]}
    problems = inject.apply(notebook, Additions(under_title="FACTS"))
    assert problems == ["the first cell does not start with '# Title'"]


def quiz(*correct):
    options = [
        {"text": f"option {number}", "correct": right, "explain": "why"}
        for number, right in enumerate(correct)
    ]
    return {"after": "First", "question": "What?", "options": options}


def test_quiz_needs_one_right_option_and_reasons():
    assert plans.quiz_problems(quiz(True, False), 1) == []
    assert "0 correct" in plans.quiz_problems(quiz(False, False), 1)[0]
    assert "2 correct" in plans.quiz_problems(quiz(True, True), 1)[0]
    silent = quiz(True, False)
    silent["options"][1]["explain"] = ""
    assert "'option 1' has no" in plans.quiz_problems(silent, 1)[0]


def exercise_book(tmp_path, *, solved=True):
    stub = "def f():\n    # Your code.\n    raise NotImplementedError"
    answer = (
        "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"
    )
    for folder in ("exercises", "solutions", "chapters"):
        (tmp_path / folder).mkdir()
    for folder, body in (("exercises", stub), ("solutions", answer)):
        if folder == "solutions" and not solved:
            continue
        cells = [
            markdown("# 02 · Exercises"),
            markdown("## Exercise 02.1 · One · ●○○ · 5 min"),
            markdown("**Hint 1.** Think of $a$."),
            code(body),
            code("check.f(f)"),
            markdown("## Exercise 02.2 · Two · ●○○ · 5 min"),
            code(body.replace("f()", "g()")),
            code("check.score()"),
        ]
        path = tmp_path / folder / "02_x.ipynb"
        path.write_text(json.dumps({"cells": cells}), "utf-8")
    return tmp_path


def test_solutions_and_hints_are_folded(tmp_path):
    root = exercise_book(tmp_path)
    additions = plans.exercises(root, "exercises/02_x")
    assert additions.problems == []
    assert additions.replace_cell[2].startswith('<details class="fold hint">')
    assert "Think of $a$." in additions.replace_cell[2]
    (first, one), (second, two) = additions.after_cell
    assert (first, second) == (4, 7)
    assert "def f():\n    return 1" in one
    assert "def g():" in two
    assert "SOLUTION" not in one + two


def test_solutions_can_be_left_out(tmp_path):
    root = exercise_book(tmp_path, solved=False)
    additions = plans.exercises(root, "exercises/02_x", solutions=False)
    assert additions.after_cell == []
    assert additions.problems == []
    missing = plans.exercises(root, "exercises/02_x")
    assert missing.problems == ["no solutions/02_x.ipynb to fold in"]


def test_alternative_text_from_either_place():
    picture = {"metadata": {"image/png": {"alt": "A", "width": 3}}}
    assert pictures.alt_of(picture, "image/png") == "A"
    assert pictures.alt_of({"metadata": {"alt": "B"}}, "image/png") == "B"
    assert pictures.alt_of({}, "image/png") == ""


def test_launch_links_in_both_states():
    empty = {"repository_url": "", "repository_branch": "main"}
    assert (
        pages.launch_buttons(empty, "chapters/02", "chapters/02.ipynb") == []
    )
    options = {
        "repository_url": "https://github.com/ORG/REPO",
        "repository_branch": "v1.2",
    }
    (group,) = pages.launch_buttons(options, "x", "chapters/02.ipynb")
    assert [button["url"] for button in group["buttons"]] == [
        "https://colab.research.google.com/github/"
        "ORG/REPO/blob/v1.2/chapters/02.ipynb",
        "https://kaggle.com/kernels/welcome?src="
        "https://github.com/ORG/REPO/blob/v1.2/chapters/02.ipynb",
    ]
    assert pages.launch_buttons(options, "book/index", "") == []


def test_glossary_takes_the_longest_term_as_a_word():
    terms = {
        name: ("book/glossary", name, "card", name)
        for name in ("mask", "causal mask", "key")
    }
    pattern = glossary.pattern_of(terms)
    assert pattern is not None
    text = "A Causal mask hides keys; a keyword or a monkey does not mask-in."
    assert [m[0] for m in pattern.finditer(text)] == ["Causal mask", "keys"]
    assert glossary.pattern_of({}) is None


def test_everyday_words_are_links_only_where_they_are_introduced():
    introduced = nodes.emphasis("", "", nodes.Text("value"))
    running = nodes.paragraph("", "", nodes.Text("value"))
    assert glossary.is_introduced(introduced[0])
    assert not glossary.is_introduced(running[0])


def test_appendix_shows_each_entry_once():
    entry = {
        "id": "F-11",
        "chapters": ["02", "07"],
        "title": "The divisor",
        "lecture": "One thing.",
        "correct": "Another thing.",
        "kind": "wrong",
        "source": [{"key": "vaswani2017", "where": "§3.2.1"}],
        "test": "tests/facts/test_chapter_02.py::test_f11",
    }
    text = facts.render([entry])
    assert text.count("### F-11 · The divisor") == 1
    assert "## Chapter 02" in text
    assert "{cite:t}`vaswani2017`, §3.2.1" in text
    assert "chapter 07" in text
    assert "## Chapter 07" not in text
