import pytest

from overlays.boards import BOARDS, find
from overlays.hwh import BASE_ADDRESS, hwh
from pynq_bnn import registers
from pynq_bnn.errors import DeviceError, OverlayError

pynq = pytest.importorskip(
    "pynq", reason="needs the real PYNQ, in an environment of its own: docs/board.md")
pytestmark = pytest.mark.pynq

NAMES = [board.name for board in BOARDS]


@pytest.fixture
def overlay_class():
    from pynq_bnn.devices.board.overlay import BnnOverlay

    return BnnOverlay


@pytest.mark.parametrize("name", NAMES)
def test_download_binds_the_driver_at_its_address(name, make_zynq, make_bitstream, overlay_class):
    from pynq_bnn.devices.board.overlay import BnnDriver

    zynq = make_zynq(name)
    path = make_bitstream(name)
    overlay = overlay_class(str(path))
    assert zynq.downloads == [str(path)]
    assert overlay.is_loaded()
    assert isinstance(overlay.bnn, BnnDriver)
    assert overlay.driver is overlay.bnn
    assert overlay.bnn.mmio.base_addr == BASE_ADDRESS
    assert overlay.bnn.read(registers.offset("MAGIC")) == registers.MAGIC


def test_plain_pynq_overlay_finds_the_driver_too(make_zynq, make_bitstream, overlay_class):
    make_zynq("Pynq-Z2")
    overlay = pynq.Overlay(str(make_bitstream("Pynq-Z2")))
    assert overlay.bnn.as_device().mmio.read(registers.offset("MAGIC")) == registers.MAGIC


def test_a_design_may_call_our_ip_otherwise(make_zynq, make_bitstream, overlay_class):
    make_zynq("Pynq-Z1")
    handoff = hwh(find("Pynq-Z1")).replace('INSTANCE="bnn"', 'INSTANCE="net_0"')
    handoff = handoff.replace('FULLNAME="/bnn"', 'FULLNAME="/core/net_0"')
    overlay = overlay_class(make_bitstream(handoff=handoff))
    assert overlay.driver.read(registers.offset("MAGIC")) == registers.MAGIC


def test_a_second_download_supersedes_the_first(make_zynq, make_bitstream, overlay_class):
    make_zynq("Pynq-Z1")
    path = make_bitstream()
    first, second = overlay_class(path), overlay_class(path)
    assert not first.is_loaded()
    assert second.is_loaded()


def _refused(overlay_class, zynq, path):
    """Nothing is downloaded, and PYNQ's device stays as it was."""
    before = dict(vars(zynq))
    with pytest.raises(OverlayError) as error:
        overlay_class(path)
    assert vars(zynq) == before
    return str(error.value)


def test_bitstream_for_another_part(make_zynq, make_bitstream, overlay_class):
    zynq = make_zynq("Pynq-Z1")
    message = _refused(overlay_class, zynq, make_bitstream(part="7z020clg484"))
    for word in ("7z020clg484", "ZedBoard", "xc7z020clg400-1", "Pynq-Z1"):
        assert word in message


def test_missing_hwh(make_zynq, make_bitstream, overlay_class):
    zynq = make_zynq("Pynq-Z1")
    path = make_bitstream()
    path.with_suffix(".hwh").unlink()
    message = _refused(overlay_class, zynq, path)
    assert "bnn.hwh" in message
    assert "overlays.hwh" in message


def test_hwh_without_our_ip(make_zynq, make_bitstream, overlay_class):
    zynq = make_zynq("Pynq-Z1")
    handoff = hwh(find("Pynq-Z1")).replace(registers.VLNV, "example.org:user:fir:2.0")
    message = _refused(overlay_class, zynq, make_bitstream(handoff=handoff))
    assert registers.VLNV in message
    assert "example.org:user:fir:2.0" in message


def test_hwh_that_is_cut_off(make_zynq, make_bitstream, overlay_class):
    zynq = make_zynq("Pynq-Z1")
    handoff = hwh(find("Pynq-Z1"))[:1000]
    assert "copy it again" in _refused(overlay_class, zynq, make_bitstream(handoff=handoff))


def test_a_refused_overlay_leaves_the_loaded_one_usable(make_zynq, make_bitstream, overlay_class,
                                                        tmp_path):
    zynq = make_zynq("Pynq-Z1")
    overlay = overlay_class(make_bitstream())
    other = tmp_path / "other.bit"
    other.write_bytes(b"no bitstream")
    _refused(overlay_class, zynq, other)
    assert overlay.bnn.read(registers.offset("MAGIC")) == registers.MAGIC


def test_without_a_bitstream_the_message_says_what_to_do(make_zynq, overlay_class, monkeypatch,
                                                         tmp_path):
    zynq = make_zynq("ZedBoard")
    monkeypatch.setattr("overlays.__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(OverlayError, match='ZedBoard.*device="model".*BnnOverlay'):
        overlay_class()
    assert zynq.downloads == []


def test_the_packaged_bitstream_is_the_boards_own(make_zynq, make_bitstream, overlay_class,
                                                  monkeypatch, tmp_path):
    zynq = make_zynq("ZedBoard")
    path = make_bitstream("ZedBoard")
    folder = tmp_path / "ZedBoard"
    folder.mkdir()
    for kind in (".bit", ".hwh"):
        path.with_suffix(kind).rename(folder / f"bnn{kind}")
    monkeypatch.setattr("overlays.__file__", str(tmp_path / "__init__.py"))
    overlay_class()
    assert zynq.downloads == [str(folder / "bnn.bit")]


@pytest.mark.filterwarnings("ignore:No devices found")
def test_no_devices_found_points_to_sudo(make_bitstream, overlay_class, monkeypatch):
    monkeypatch.setenv("BOARD", "Pynq-Z1")
    monkeypatch.setattr(pynq.Device, "_devices", [], raising=False)
    monkeypatch.delattr(pynq.Device, "_active_device", raising=False)
    path = make_bitstream()
    with pytest.raises(DeviceError, match="sudo -i"):
        overlay_class(path)


def test_without_root_the_message_says_so(make_zynq, make_bitstream, overlay_class, monkeypatch):
    zynq = make_zynq("Pynq-Z1")

    def refuse(*_):
        raise EnvironmentError("Root permissions required.")

    monkeypatch.setattr(zynq, "download", refuse)
    path = make_bitstream()
    with pytest.raises(DeviceError, match="Root permissions required.*sudo -i"):
        overlay_class(path)
