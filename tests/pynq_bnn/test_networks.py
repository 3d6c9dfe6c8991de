import pytest

from host_ref.parameters import load, save
from pynq_bnn import networks
from pynq_bnn.errors import ParameterError


def test_a_network_by_name_path_or_as_it_is(weights, cifar_sized, parameters, tmp_path):
    assert networks.available() == {"cifar10": weights / "cifar10.npz"}
    assert networks.load_parameters().checksum == cifar_sized.checksum
    assert networks.load_parameters("cifar10").checksum == cifar_sized.checksum
    save(tmp_path / "mine.npz", parameters)
    for source in (tmp_path / "mine.npz", str(tmp_path / "mine.npz")):
        assert networks.load_parameters(source).checksum == parameters.checksum
    assert networks.load_parameters(parameters) is parameters


def test_every_file_of_the_folder_is_available(weights, parameters):
    save(weights / "another.npz", parameters)
    (weights / "README.md").write_text("no network")
    assert list(networks.available()) == ["another", "cifar10"]
    assert networks.load_parameters("another").checksum == parameters.checksum


def test_an_unknown_network_is_told_what_there_is(weights, tmp_path):
    with pytest.raises(ParameterError, match=r"no network 'cifar100'.*\(cifar10\)"):
        networks.load_parameters("cifar100")
    with pytest.raises(ParameterError, match="no network"):
        networks.load_parameters(tmp_path)
    for path in ("a\0b", "x" * 5000, "\x1b[2J"):
        with pytest.raises(ParameterError, match="no network") as caught:
            networks.load_parameters(path)
        assert len(str(caught.value)) < 400
        assert str(caught.value).isprintable()
    (weights / "cifar10.npz").unlink()
    with pytest.raises(ParameterError, match=r"no network 'cifar10'.*\(none\)"):
        networks.load_parameters()


@pytest.mark.parametrize("source", [None, 7, b"cifar10", ["cifar10"], {}])
def test_what_names_no_network(weights, source):
    with pytest.raises(ParameterError, match=f"a {type(source).__name__} is not a network"):
        networks.load_parameters(source)


def test_a_bad_file_is_named(tmp_path):
    path = tmp_path / "bad.npz"
    path.write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(ParameterError, match="bad.npz"):
        networks.load_parameters(path)


def test_saved_parameters_load_the_same(tmp_path, cifar_sized):
    save(tmp_path / "again.npz", cifar_sized)
    assert networks.load_parameters(tmp_path / "again.npz").checksum == load(
        tmp_path / "again.npz").checksum == cifar_sized.checksum


def test_printed_it_is_a_table_of_what_each_does(weights, parameters):
    save(weights / "another.npz", parameters)
    header, another, cifar10 = repr(networks.available()).splitlines()
    assert header.split("  ")[0].strip() == "network"
    assert header.endswith("accuracy  cycles of a picture  pictures a second, predicted")
    assert another.split() == ["another", "-", "-", "-"]
    # of another file than the one that the cycles are of
    assert cifar10.split()[0] == "cifar10"
    assert cifar10.split()[2:] == ["-", "-"]


def test_the_shipped_ones_have_accuracy_and_cycles():
    rows = {row["name"]: row for row in networks.available().rows()}
    assert set(rows) == {"cifar10", "cifar10-small"}
    large, small = rows["cifar10"], rows["cifar10-small"]
    assert large["accuracy"] > small["accuracy"] > 0.84
    assert large["cycles"] > 4 * small["cycles"]
    assert small["images_per_s"] > 3 * large["images_per_s"] > 6000
