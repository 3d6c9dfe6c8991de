import zipfile

import pytest

from pynq_bnn.bulk import sources
from pynq_bnn.bulk.sources import Entry, entries
from pynq_bnn.errors import PictureError


def test_folders_by_name_below_each_other_and_files_as_they_are(tmp_path):
    for name in ("b/2.png", "b/1.JPG", "a.png", "b/c/0.gif", "b/text.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "again").symlink_to(tmp_path, target_is_directory=True)
    single = str(tmp_path / "b" / "text.txt")  # named by the user, so it is taken
    paths = [str(tmp_path / name) for name in ("a.png", "b/1.JPG", "b/2.png", "b/c/0.gif")]
    assert list(entries([tmp_path, single])) == [
        Entry(path, path) for path in [*paths, single]]


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(PictureError, match="gone: no such file, folder or archive"):
        list(entries([tmp_path / "gone"]))


def test_a_member_that_cannot_be_read_is_one_entry(tmp_path, monkeypatch):
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("0.png", "1.png", "2.png", "3.png"):
            file.writestr(name, name.encode() * 100)
        file.writestr("4.png", bytes(3000))
    content = bytearray(archive.read_bytes())
    content[content.index(b"1.png") + 5] ^= 0x5A  # its compressed bytes
    second = content.rindex(b"PK\x01\x02", 0, content.rindex(b"2.png"))
    content[second + 8] |= 1  # its directory entry says encrypted
    first = content.index(b"PK\x03\x04", content.index(b"1.png"))
    content[first + 6] |= 1
    archive.write_bytes(content)
    monkeypatch.setattr(sources, "MEMBER_BYTES_MAX", 2000)
    found = list(entries([archive]))
    assert [entry.name for entry in found] == [str(archive / f"{n}.png") for n in range(5)]
    assert [bool(entry.error) for entry in found] == [False, True, True, False, True]
    assert found[0].content == b"0.png" * 100
    assert "encrypted" in found[2].error
    assert "MiB in an archive" in found[4].error
