"""What the command line's commands do: each gives an exit code and the text to print."""

from __future__ import annotations

import argparse
import json
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Dict, List, Tuple

import host_ref.converters
from host_ref.cost import network_cost
from host_ref.errors import printable, shortened
from host_ref.network_file import read_network
from host_ref.parameters import ParameterError, Parameters, save
from pynq_bnn import __version__
from pynq_bnn.bulk import AnswersError, classify_all
from pynq_bnn.classifier import Classifier
from pynq_bnn.doctor import diagnose
from pynq_bnn.measure import latency, throughput
from pynq_bnn.networks import load_parameters
from pynq_bnn.power import HOW, Energy, read_log, record
from pynq_bnn.power import load as load_recording
from pynq_bnn.power.hwmon import choose
from pynq_bnn.verify.evaluate import evaluate

OK, DIFFERENT = 0, 1
Outcome = Tuple[int, str]


def _open(options: argparse.Namespace, known_answer: bool = True) -> Classifier:
    return Classifier(options.parameters, options.device, options.timeout, known_answer)


def _text(options: argparse.Namespace, report: Any) -> str:
    return json.dumps(report.to_dict()) if options.json else str(report)


def _classify(options: argparse.Namespace) -> Outcome:
    if options.output is None and (options.resume or options.workers is not None
                                   or options.cluster is not None):
        raise AnswersError("--resume, --workers and --cluster go with --output FILE")
    if options.output is not None:
        if options.figure:
            raise AnswersError("--figure shows one picture's scores: leave --output away")
        with (_open(options) if options.cluster is None else _cluster(options)) as classifier:
            summary = classify_all(classifier, options.paths, options.output, options.resume,
                                   options.workers, progress=not options.json)
            if options.cluster is None:
                return OK, _text(options, summary)
            return OK, _text_of_cluster(options, summary, classifier)
    with _open(options) as classifier:
        results = classifier.classify(options.paths)
    if options.figure:
        results[0].save(options.figure)
    if options.json:
        return OK, json.dumps([{"path": path, **result.to_dict()}
                               for path, result in zip(options.paths, results)])
    lines: List[str] = []
    for path, result in zip(options.paths, results):
        lines.append(printable(path))
        lines += [f"  {printable(label):<12} {score:8.3f}"
                  for label, score in result.top(options.top)]
    lines.append(results[-1].timing.describe())
    if options.figure:
        lines.append(f"figure: {options.figure}")
    return OK, "\n".join(lines)


def _check(options: argparse.Namespace) -> Outcome:
    with _open(options, known_answer=False) as classifier:
        report = classifier.check(options.paths)
    return OK if report.passed else DIFFERENT, _text(options, report)


def _evaluate(options: argparse.Namespace) -> Outcome:
    if options.cluster is not None:
        return _evaluate_on_cluster(options)
    with _open(options) as classifier:
        evaluation = evaluate(classifier, options.folder, options.count,
                              progress=not options.json)
    if options.figure:
        evaluation.save(options.figure)
    return OK, _text(options, evaluation)


def _cluster(options: argparse.Namespace) -> Any:
    from pynq_bnn.cluster import Cluster

    return Cluster(options.cluster, options.parameters, options.device, options.timeout)


def _text_of_cluster(options: argparse.Namespace, report: Any, cluster: Any) -> str:
    if options.json:
        return json.dumps({**report.to_dict(), "cluster": cluster.to_dict()})
    return f"{report}\n{cluster}"


def _evaluate_on_cluster(options: argparse.Namespace) -> Outcome:
    with _cluster(options) as cluster:
        evaluation = cluster.evaluate(options.folder, options.count, progress=not options.json)
        if options.figure:
            evaluation.save(options.figure)
        return OK, _text_of_cluster(options, evaluation, cluster)


def _bench(options: argparse.Namespace) -> Outcome:
    with _open(options) as classifier:
        one = latency(classifier, options.paths[0], options.repeat)
        several = list(islice(cycle(options.paths), classifier.batch))
        batch = latency(classifier, several, options.repeat) if classifier.batch > 1 else None
        rate = throughput(classifier, options.paths, options.seconds)
    if options.figure:
        one.save(options.figure)
    reports = {"latency": one, "latency_of_a_batch": batch, "throughput": rate}
    if options.json:
        return OK, json.dumps({name: report and report.to_dict()
                               for name, report in reports.items()})
    return OK, "\n\n".join(str(report) for report in reports.values() if report is not None)


def _power(options: argparse.Namespace) -> Outcome:
    if options.save is None or options.source:
        choose(options.source)  # before anybody waits for a minute and more
    with _open(options) as classifier:
        recording = record(classifier, options.paths, options.windows, options.seconds,
                           progress=not options.json, source=options.source,
                           idle_s=options.idle)
    if options.save is not None:
        recording.save(options.save)
    if recording.trace is None:
        return OK, json.dumps({"saved": str(options.save)}) if options.json else (
            f"{options.save}: nothing here measured. With the log of a meter that did:\n"
            f"  python -m pynq_bnn energy {options.save} METER.csv\n\n{HOW}")
    return _energy_of(options, recording.energy())


def _energy(options: argparse.Namespace) -> Outcome:
    log = read_log(options.log, options.supply_v, options.shunt_ohm)
    return _energy_of(options, load_recording(options.recording).energy(log))


def _energy_of(options: argparse.Namespace, energy: Energy) -> Outcome:
    if options.figure:
        energy.save(options.figure)
    return OK, _text(options, energy)


def _info(options: argparse.Namespace) -> Outcome:
    with _open(options) as classifier:
        info = {"pynq_bnn": __version__, **classifier.info()}
    return OK, json.dumps(info) if options.json else "\n".join(_lines(info))


def _lines(info: Dict[str, Any], indent: str = "") -> List[str]:
    """A nested dict as indented lines."""
    lines: List[str] = []
    for name, value in info.items():
        if isinstance(value, dict):
            lines += [f"{indent}{printable(name)}:", *_lines(value, indent + "  ")]
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            lines.append(f"{indent}{printable(name)}: {printable(shown)}")
    return lines


def _selftest(options: argparse.Namespace) -> Outcome:
    with _open(options, known_answer=False) as classifier:
        report = classifier.selftest()
    return OK if report.passed else DIFFERENT, _text(options, report)


def _doctor(options: argparse.Namespace) -> Outcome:
    found = diagnose()
    if options.report is not None:
        options.report.write_text(f"```\n{found}\n```\n", encoding="utf-8")
    return OK if found.healthy else DIFFERENT, _text(options, found)


def _convert(options: argparse.Namespace) -> Outcome:
    if options.output.exists() and not options.force:
        raise FileExistsError(f"{options.output} exists: --force overwrites it")
    network = None if options.network is None else read_network(options.network)
    classes = None if options.classes is None else _class_names(options.classes)
    flipped = None if options.kernels is None else options.kernels == "flipped"
    parameters = host_ref.converters.convert(
        options.source, options.source_format, network, flipped, classes, options.name)
    save(options.output, parameters)
    if options.json:
        return OK, json.dumps({"output": str(options.output), "checksum": parameters.checksum,
                               "network": parameters.network.description(),
                               "classes": list(parameters.classes), **parameters.training})
    training = parameters.training
    return OK, "\n".join([
        f"{options.source}: {training['converted_from']}, SHA-256 {training['sha256']}",
        *_layer_lines(parameters), "assumed, since the file does not say it:",
        *(f"  {line}" for line in training["assumed"]),
        f"{options.output}: {parameters.name!r}, checksum {parameters.checksum}; "
        "its accuracy is not measured (python -m pynq_bnn evaluate)"])


def _class_names(text: str) -> List[str]:
    """Names between commas, or a file's lines."""
    try:
        names = Path(text).read_text(encoding="utf-8").splitlines()
    except OSError:
        names = text.split(",")
    except ValueError as error:
        raise ParameterError(f"{shortened(text, 200)} is neither classes between commas nor a "
                             f"text file with one on each line: {error}") from None
    return [name.strip() for name in names if name.strip()]


def _layer_lines(parameters: Parameters) -> List[str]:
    lines = [f"{'layer':<8} {'kind':<8} {'weights':>20} {'of them -1':>10} {'k < 0':>11}"]
    for layer, own in zip(parameters.network.layers, parameters.layers):
        shape = "x".join(map(str, layer.weight_shape))
        lines.append(f"{printable(layer.name):<8} {layer.kind:<8} {shape:>20} "
                     f"{own.weights.mean():>10.1%} {(own.k < 0).sum():>4} of {len(own.k):>4}")
    return lines


def _network(options: argparse.Namespace) -> Outcome:
    network = load_parameters(options.parameters).network
    cost = network_cost(network)
    if options.json:
        return OK, json.dumps({"description": network.description(), **cost.to_dict()})
    return OK, str(cost)


COMMANDS = {
    "classify": _classify, "check": _check, "evaluate": _evaluate, "bench": _bench,
    "power": _power, "energy": _energy, "info": _info, "selftest": _selftest, "doctor": _doctor,
    "convert": _convert, "network": _network,
}
