import numpy as np
import pytest
from PIL import Image

from pynq_bnn.bulk import decoding
from pynq_bnn.bulk.decoding import decode
from pynq_bnn.bulk.sources import Entry


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_pictures_come_in_their_order_with_the_errors_of_the_bad_ones(tmp_path, monkeypatch,
                                                                      workers):
    """More chunks than are begun ahead."""
    monkeypatch.setattr(decoding, "CHUNK", 2)
    entries = []
    for n in range(41):
        path = tmp_path / f"{n}.png"
        Image.fromarray(np.full((32, 32, 3), n, np.uint8)).save(path)
        content = path.read_bytes()
        entries.append(Entry(f"{n}", [str(path), content, content[:30], b""][n % 4],
                             "encrypted" if n == 8 else ""))
    found = list(decode(iter(entries), 32, 32, workers))
    assert [each.name for each in found] == [f"{n}" for n in range(41)]
    for n, each in enumerate(found):
        if n % 4 < 2 and n != 8:
            assert each.error == ""
            assert (each.picture == n).all()
        else:
            assert each.picture is None
            assert each.error.startswith(f"{n}: ")
