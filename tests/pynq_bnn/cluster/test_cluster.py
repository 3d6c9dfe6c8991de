"""Real workers, each a process of its own; faults are put into them while they run."""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from host_ref.floating import FloatModel
from host_ref.random_networks import random_parameters
from pynq_bnn import Classifier, cluster
from pynq_bnn.cli import main
from pynq_bnn.cluster import Cluster, ClusterError, worker
from pynq_bnn.errors import ClosedError, PictureError
from pynq_bnn.verify.evaluate import evaluate

distributed = pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle", "2.0")
# a worker gets these functions whole: it may have another package named `tests` installed
cloudpickle.register_pickle_by_value(sys.modules[__name__])

CHUNK = 16


@contextmanager
def workers(count):
    with distributed.LocalCluster(
            n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None,
            silence_logs="CRITICAL") as local, distributed.Client(
            local, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def four():
    """Four workers for the tests that leave them as they are."""
    with workers(4) as client:
        yield client


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(cluster, "CHUNK", CHUNK)


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (31 * CHUNK + 5, 32, 32, 3), np.uint8)


@pytest.fixture
def right(cifar_sized, pictures):
    last = cifar_sized.layers[-1]
    return last.k * FloatModel(cifar_sized).sums(pictures).astype(np.float32) + last.h


def addresses(client):
    return list(client.ncores())


# What runs on a worker to make it a bad one.

def spoil(kind):
    own, = worker._owned.values()
    true, before = own.classifier.sums, []

    def sums(pictures):
        got = true(pictures)
        if kind == "wrong":
            return got + 2
        if kind == "late":  # answers lag by one picture, as after a lost word
            return np.roll(got, 1, axis=0)
        if kind == "old":  # the answers of the chunk before
            before.append(got)
            return before[-2] if len(before) > 1 and len(before[-2]) == len(got) else got
        if kind == "short":
            return got[1:]
        if kind == "raises":
            raise RuntimeError("a cable fell out")
        if kind == "silent":
            time.sleep(4)
        if kind == "lame":
            time.sleep(0.7)
        if kind == "slow":
            time.sleep(0.05)
        return got

    own.classifier.sums = sums


def heal():
    own, = worker._owned.values()
    del own.classifier.sums


def open_late():
    true = worker.Classifier

    def late(*arguments):
        time.sleep(3)
        return true(*arguments)

    worker.Classifier = late


def opened():
    return list(worker._owned)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_picture_is_answered_once_and_in_order(four, cifar_sized, pictures, right, count,
                                                     monkeypatch):
    chosen = dict(list(four.ncores().items())[:count])
    monkeypatch.setattr(four, "ncores", lambda: chosen)
    with Cluster(four, cifar_sized, "model") as some:
        assert np.array_equal(some.scores(pictures), right)
        assert len(some.workers) == count
        assert sum(work.pictures for work in some.work.values()) == len(pictures)
        assert all(work.pictures and not work.dropped for work in some.work.values())
        assert str(some).count("device model") == count


@pytest.mark.parametrize("sizes", [[], [1], [7, 1, 16, 3]])
def test_chunks_of_any_size(four, cifar_sized, pictures, right, sizes):
    ends = np.cumsum([0, *sizes])
    with Cluster(four, cifar_sized, "model") as some:
        got = list(some.stream(pictures[a:b] for a, b in zip(ends, ends[1:])))
    assert [len(each) for each in got] == sizes
    for a, b, each in zip(ends, ends[1:], got):
        assert np.array_equal(each, right[a:b])


def test_few_chunks_are_in_memory_while_one_is_waited_for(cifar_sized, pictures):
    taken = 0

    def chunks():
        nonlocal taken
        for _ in range(120):
            taken += 1
            yield pictures[:1]

    with workers(2) as client, Cluster(client, cifar_sized, "model") as some:
        client.run(spoil, "lame", workers=addresses(client)[:1])
        for number, _ in enumerate(some.stream(chunks())):
            assert taken - number <= (cluster.dispatch.WINDOW + 1) * cluster.PREFETCH * 2 + 1
    assert taken == 120


def test_accuracy_is_that_of_one_classifier(four, cifar_sized, dataset):
    folder, _, _ = dataset
    with Cluster(four, cifar_sized, "model") as some:
        got = some.evaluate(folder)
    with Classifier(cifar_sized, "model") as classifier:
        expected = evaluate(classifier, folder)
    assert np.array_equal(got.confusion, expected.confusion)
    assert "4 workers" in str(got)


def test_the_command_line(four, weights, dataset, capsys):
    folder, _, _ = dataset
    assert main(["evaluate", str(folder), "--cluster", four.scheduler.address,
                 "--device", "model"]) == 0
    assert "4 workers" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_folders_into_a_file_as_on_one_machine(four, weights, tmp_path, rng, suffix, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(30):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{n:02}.png")
    for damaged in ("00.png", "13.png", "14.png", "29.png"):
        (folder / damaged).write_bytes(b"damaged")
    here, there = tmp_path / f"here.{suffix}", tmp_path / f"there.{suffix}"
    common = ["classify", str(folder), "--device", "model", "--workers", "1", "--output"]
    on_cluster = ["--cluster", four.scheduler.address]
    assert main([*common, str(here)]) == 0
    assert main([*common, str(there), *on_cluster]) == 0
    assert "26 pictures classified, 4 could not be read" in capsys.readouterr().out
    assert there.read_bytes() == here.read_bytes()
    lines = there.read_bytes().splitlines(keepends=True)
    there.write_bytes(b"".join(lines[:17]) + lines[17][:9])
    assert main([*common, str(there), *on_cluster, "--resume"]) == 0
    assert there.read_bytes() == here.read_bytes()
    assert main(["classify", str(folder / "01.png"), *on_cluster]) == 2
    assert "--cluster go with --output" in capsys.readouterr().err


@pytest.mark.parametrize("kind, why", [
    ("wrong", "a wrong known answer"), ("late", "a wrong known answer"),
    ("old", "a wrong known answer"), ("short", "sums of shape"), ("raises", "a cable fell out"),
    ("silent", "no answer for")])
def test_a_bad_worker_is_dropped_and_its_pictures_go_to_others(cifar_sized, pictures, right, kind,
                                                               why):
    with workers(2) as client, Cluster(client, cifar_sized, "model", timeout_s=2) as some:
        bad = addresses(client)[0]
        client.run(spoil, kind, workers=[bad])
        assert np.array_equal(some.scores(pictures), right)
        (name, work), = [item for item in some.work.items() if item[1].dropped]
        assert bad in name
        assert why in work.dropped
        assert why in str(some)
        assert sum(each.pictures for each in some.work.values()) == len(pictures)
        client.run(heal, workers=[bad])
        assert np.array_equal(some.scores(pictures[:40]), right[:40])
        assert some.work[name] is work  # it was not asked again


def test_a_worker_that_is_killed_in_mid_run(cifar_sized, pictures, right):
    with workers(3) as client, Cluster(client, cifar_sized, "model") as some:
        client.run(spoil, "slow")
        pids = client.run(os.getpid)
        got = []
        for scores in some.stream(pictures[i:i + CHUNK] for i in range(0, len(pictures), CHUNK)):
            if len(got) == 3:
                os.kill(pids[addresses(client)[0]], signal.SIGKILL)
            got.append(scores)
        assert np.array_equal(np.concatenate(got), right)
        (why,) = [work.dropped for work in some.work.values() if work.dropped]
        assert "no answer for" not in why  # it was seen to be gone, not waited for


def test_threads_share_the_workers(cifar_sized, pictures, right):
    with workers(2) as client, Cluster(client, cifar_sized, "model") as some:
        bad, _ = addresses(client)
        client.run(spoil, "slow")
        with ThreadPoolExecutor(2) as threads:
            runs = [threads.submit(some.scores, part) for part in (pictures[:200], pictures[200:])]
            client.run(spoil, "wrong", workers=[bad])
            assert np.array_equal(np.concatenate([run.result() for run in runs]), right)
        (name,) = some._dropped
        assert bad in name
        assert "wrong known answer" in str(some)
        client.run(heal, workers=[bad])
        work = some.work[name]
        some.scores(pictures[:20])
        assert some.work[name] is work  # it was not asked again


def test_an_interrupted_run_leaves_the_cluster_usable(cifar_sized, pictures, right):
    with workers(2) as client, Cluster(client, cifar_sized, "model") as some:
        client.run(spoil, "slow")
        chunks = some.stream(pictures[i:i + CHUNK] for i in range(0, len(pictures), CHUNK))
        next(chunks)
        with pytest.raises(KeyboardInterrupt):
            chunks.throw(KeyboardInterrupt())
        assert np.array_equal(some.scores(pictures[:40]), right[:40])
        assert not some._dropped


def test_a_worker_that_opens_too_late_is_given_up_and_closed(cifar_sized, monkeypatch):
    monkeypatch.setattr(cluster, "OPEN_S", 0.0)
    with workers(2) as client:
        late, good = addresses(client)
        client.run(open_late, workers=[late])
        some = Cluster(client, cifar_sized, "model", timeout_s=1.5)
        (why,) = some.refused.values()
        assert "not open after 1.5 s" in why
        assert [good] == list(some._addresses.values())
        assert "not used" in str(some)
        some.close()
        assert not any(client.run(opened).values())


def test_no_worker_is_left(cifar_sized, pictures):
    with workers(2) as client, Cluster(client, cifar_sized, "model") as some:
        client.run(spoil, "wrong", workers=addresses(client)[:1])
        client.run(spoil, "raises", workers=addresses(client)[1:])
        with pytest.raises(ClusterError, match="no worker is left") as error:
            some.scores(pictures)
        for part in (*addresses(client), "wrong known answer", "a cable fell out"):
            assert part in str(error.value)
        with pytest.raises(ClusterError, match="no worker is left"):
            some.scores(pictures)


def test_a_scheduler_that_dies(cifar_sized, pictures):
    local = distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True,
                                     dashboard_address=None, silence_logs="CRITICAL")
    with Cluster(local.scheduler_address, cifar_sized, "model") as some:
        chunks = some.stream(pictures[:CHUNK] for _ in range(1000))
        next(chunks)
        local.close()
        with pytest.raises(ClusterError, match="scheduler"):
            list(chunks)


def test_devices_that_do_not_open(four, cifar_sized):
    with pytest.raises(ClusterError, match=r"no worker has opened its device: .*board"):
        Cluster(four, cifar_sized, "board")
    assert not any(four.run(opened).values())


def test_a_device_is_shared_by_those_with_the_same_parameters(four, cifar_sized, rng, pictures,
                                                              right):
    with Cluster(four, cifar_sized, "model") as first:
        with Cluster(four, cifar_sized, "model") as second:
            assert np.array_equal(second.scores(pictures[:20]), right[:20])
        assert np.array_equal(first.scores(pictures[:20]), right[:20])
        other = random_parameters(cifar_sized.network, rng)
        with pytest.raises(ClusterError, match="in use with parameters"):
            Cluster(four, other, "model")
        assert all(four.run(opened).values())
    assert not any(four.run(opened).values())


def test_what_is_no_picture_of_this_network(four, cifar_sized, pictures, right):
    with Cluster(four, cifar_sized, "model") as some:
        for bad in (pictures[:, :16], pictures.astype(float), pictures[0]):
            with pytest.raises(PictureError, match=r"uint8 \(n, 32, 32, 3\)"):
                list(some.stream([pictures[:3], bad]))
        assert np.array_equal(some.scores(pictures[:20]), right[:20])
    with pytest.raises(ClosedError):
        some.scores(pictures)
    some.close()


def test_no_scheduler(cifar_sized, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"):
        Cluster("tcp://127.0.0.1:9", cifar_sized)
    with pytest.raises(ClusterError, match="no Dask scheduler answers at nonsense"):
        Cluster("nonsense://x", cifar_sized)


def test_no_dask(cifar_sized, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'pynq-bnn\[cluster\]'"):
        Cluster("tcp://127.0.0.1:9", cifar_sized)
