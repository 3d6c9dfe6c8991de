import json

import pytest


def test_right_answers_and_differences(report):
    assert (report.right("integer"), report.right("fixed")) == (2, 3)
    assert report.differences() == {("fixed", "integer"): (1, 2)}


def test_the_devices_arithmetic_is_the_one_that_counts(report):
    assert report.main == "integer"
    assert report.confusion[0, 1] == 1
    del report.answers["integer"]
    assert report.main == "fixed"
    assert report.confusion[0, 1] == 0
    assert report.differences() == {}


def test_the_most_confidently_wrong_come_first(report):
    mistakes = report.mistakes(10)
    assert [(one.index, one.true, one.predicted) for one in mistakes] == [
        (4, "bird", "automobile"), (1, "automobile", "airplane"), (3, "airplane", "automobile")]
    assert [one.margin for one in mistakes] == [5, 4, 1]
    assert mistakes[0].confidence > mistakes[1].confidence > mistakes[2].confidence > 0.5
    assert report.mistakes(2) == mistakes[:2]
    assert report.mistakes(0) == []


def rows(markdown, head):
    """The cells of the table whose first column is `head`."""
    lines = markdown[markdown.index(f"\n| {head} |"):].strip().split("\n\n")[0].splitlines()
    assert set(lines[1]) <= set("|- ")
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert {len(row) for row in cells} == {len(cells[0])}
    return cells[2:]


def test_the_tables(report):
    text = report.markdown(2)
    assert text.splitlines()[0] == "made up, checksum 0123456789abcdef, 5 test pictures"
    accuracy = rows(text, "arithmetic")
    assert [row[:1] + row[2:] for row in accuracy] == [
        ["fixed", "3", "60.00 %", "1,234", "conv5: 1"],
        ["integer", "2", "40.00 %", "0", "none"]]
    assert rows(text, "pair") == [["fixed / integer", "1", "2"]]
    classes = rows(text, "class")
    assert classes[:3] == [["airplane", "50.0 %", "50.0 %", "automobile (1)"],
                           ["automobile", "50.0 %", "33.3 %", "airplane (1)"],
                           ["bird", "0.0 %", "-", "automobile (1)"]]
    assert classes[3] == ["cat", "-", "-", "-"]
    assert [row[:3] for row in rows(text, "test picture")] == [
        ["4", "bird", "automobile"], ["1", "automobile", "airplane"]]


def test_one_arithmetic_has_no_pairs(report):
    del report.answers["fixed"]
    assert "| pair" not in report.markdown(1)


def test_json_says_the_same(report):
    again = json.loads(json.dumps(report.to_dict(1)))
    assert again["arithmetics"]["fixed"] == {
        "right": 3, "accuracy": 0.6, "moved": 1234, "vanished": {"conv5": 1}}
    assert again["differences"] == [{"pair": ["fixed", "integer"], "classes": 1, "sums": 2}]
    assert again["confusion_of"] == "integer"
    assert again["confusion"][2][1] == 1
    assert again["mistakes"][0]["index"] == 4
    assert again["mistakes"][0]["margin"] == pytest.approx(5)
