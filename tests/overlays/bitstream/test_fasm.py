import pytest

from overlays.bitstream import FasmError, fasm


def parsed(text):
    return [feature[:2] for feature in fasm.parse(f"{text}\n".splitlines(keepends=True))]


@pytest.mark.parametrize("line, expected", [
    ("T_X0Y0.A.B", ("T_X0Y0.A.B", None)),
    ("  T.A # why", ("T.A", None)),
    ("T.A = 1", ("T.A", None)),
    ("T.A = 0", ("T.A", [])),
    ("T.A[5]", ("T.A", [5])),
    ("T.A[5] = 1'b0", ("T.A", [])),
    ("T.A[3:0] = 4'b1010", ("T.A", [1, 3])),
    ("T.A[7:4] = 4'h9", ("T.A", [4, 7])),
    ("T.A[255:0]=256'h8000_0000", ("T.A", [31])),
    ("T.A[3:0] = 12", ("T.A", [2, 3])),
    ("T.A[3:0] = 4'd3", ("T.A", [0, 1])),
    ('T.A { .key = "value" }', ("T.A", None))])
def test_lines(line, expected):
    assert parsed(line) == [expected]


@pytest.mark.parametrize("line", ["", "   ", "# T.A", '{ unknown_bit = "00400c9b_13_15" }'])
def test_lines_without_a_feature(line):
    assert parsed(line) == []


@pytest.mark.parametrize("line", [
    "T.A B", "T..A", ".A", "T.A[", "T.A[3:0", "T.A = ", "T.A[3:0] = 4'hG", "T.A[3:0] = 5'b10000",
    "T.A[0:3] = 1", "T.A = 2", "T.A[1:0] = 2'b12", "{ not closed"])
def test_what_is_no_fasm_is_named_with_its_line(line):
    with pytest.raises(FasmError, match=r"FASM, line 2: ") as error:
        parsed(f"T.A\n{line}\n")
    assert line.strip() in str(error.value)


def test_single_bits():
    (vector, plain) = fasm.parse(["T.A[3:0] = 4'b1010", "T.B"])
    assert [*vector.single_bits(), *plain.single_bits()] == ["T.A[1]", "T.A[3]", "T.B"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FasmError, match="nowhere.fasm"):
        list(fasm.read(tmp_path / "nowhere.fasm"))


def test_a_binary_file_is_named(tmp_path):
    (tmp_path / "x.fasm").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FasmError, match=r"x\.fasm"):
        list(fasm.read(tmp_path / "x.fasm"))
