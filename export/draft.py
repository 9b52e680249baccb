"""A release while it is made: members converted and checked, the score fitted, everything proved and reported."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from PIL import Image

from export import (
    activation_ranges,
    averaging,
    configuration,
    evidence,
    half_precision,
    judging,
    onnx_model,
    outliers,
    probes,
    refusal,
    report,
    served,
    sessions,
)
from export.calibration import Calibration, calibrate
from export.configuration import OUTLIER_SCORE, PROBABILITIES
from export.durable import write
from export.errors import ProviderError
from export.facts import release_facts
from export.gates import Gates
from export.members import Member
from export.networks import Classifier
from export.options import ReleaseOptions
from export.outliers import OutlierModel, Vectors
from export.refusal import Gathered
from export.steps import write_preprocessing

HALF = "model_float16.onnx"
ROOM_KEPT = 64
"""Bytes of parameters for what is known last, the outlier score's threshold."""
Progress = Callable[[str], None]


class Draft:
    """A release on its way: a repository of its own, written aside."""

    def __init__(
        self,
        folder: Path,
        number: int,
        members: list[Member],
        samples: Sequence[Image.Image],
        options: ReleaseOptions,
        progress: Progress,
    ) -> None:
        self.folder, self.number, self.members = folder, number, members
        self.samples, self.options, self.progress = samples, options, progress
        self.gates = Gates(options.gates)
        self.calibration: Calibration = calibrate(members, options.weigh)
        self.outliers: OutlierModel | None = None
        self.gathered = Gathered()
        self.groups = refusal.groups_of(members[0], options.refusal, progress)
        self.report: dict[str, Any] = {"release": number, "check_photos": len(samples), "members": {}}
        self.expected: list[Any] = []
        self.seen: list[Vectors] = []
        self.seen_in_half: list[Vectors] = []
        self.before: float | None = None
        classes, room = members[0].class_count, configuration.room_beside(self.facts()) - ROOM_KEPT
        self.probes = probes.take(options.probe_photos or samples, classes, room)
        self.probed: list[Any] = []

    def facts(self) -> dict[str, Any]:
        """What a client must know."""
        threshold = None if self.outliers is None else round(self.outliers.threshold, 6)
        return release_facts(self.number, self.members, self.calibration, self.options.coverage, threshold)

    def facts_with_probes(self) -> dict[str, Any]:
        """The same, and by what whoever serves it can prove it; once the members have answered the probes."""
        return self.facts() | ({"probes": probes.facts(self.probes, self.promised())} if self.probes else {})

    def promised(self) -> NDArray[np.float64]:
        """The release's probabilities of its probes, [probes, classes]."""
        return probes.expected(self.probed, self.calibration)

    def judge(self) -> None:
        """What stored predictions say of the release, before any work is done on it."""
        self.report["comparison"] = evidence.compare(self.members, self.calibration)
        if self.report["comparison"] is not None:
            self.progress(self.report["comparison"]["verdict"])
            judging.judge_ensemble(self.gates, self.report["comparison"])
            judging.judge_loss(self.gates, self.report["comparison"], self.before)
        judging.judge_coverage(self.gates, self.members, self.calibration, self.facts()["thresholds"])

    def convert(self, member: Member, temperature: float) -> None:
        """One member to ONNX, checked against torch; its statistics of photos gathered on the way."""
        self.progress(f"{member.name}: loading {member.architecture}")
        classifier = onnx_model.load(member, temperature)
        pixels = onnx_model.view(classifier, self.samples)
        self.progress(f"{member.name}: converting to ONNX")
        model = onnx_model.to_onnx(member, classifier, pixels)
        file = self.folder / member.name / str(self.number) / "model.onnx"
        file.parent.mkdir(parents=True)
        if self.options.half_precision:
            onnx.save(half_precision.to_half(model), file.with_name(HALF))
        precision = self._write_cpu_engine(member, classifier, model, file.with_name("cpu_engine.json"))
        if self.options.float16_weights:
            onnx_model.store_weights_as_float16(model)
        onnx.save(model, file)
        gate = "parity_float16_weights" if self.options.float16_weights else "parity"
        expected = onnx_model.answers(classifier, pixels)
        difference = onnx_model.check_parity(member, sessions.on_cpu(file), pixels, expected, self.gates.bound(gate))
        self.gates.at_most(gate, difference)
        self.progress(f"{member.name}: ONNX agrees with torch within {difference:.1e} on {len(self.samples)} photos")
        on_cuda = self._check_cuda(member, file, pixels, expected)
        self.expected.append(expected[0])
        self.seen.append(outliers.features(expected[1]))
        if self.probes:
            small = onnx_model.view(classifier, [probe.photo for probe in self.probes])
            self.probed.append(onnx_model.answers(classifier, small)[0])
        half = self._check_half(member, file, pixels) if self.options.half_precision else None
        self.report["members"][member.name] = report.of_member(
            member, file, temperature, precision, difference, pixels, self.options.latency_seconds
        )
        self.report["members"][member.name] |= {
            "largest_difference_on_cuda": on_cuda,
            "half_precision_difference": half,
            "registered": self.options.registered.get(member.name),
        }
        if self.groups:
            count = sum(map(len, self.groups.values()))
            self.progress(f"{member.name}: looking at {count} photos for the outlier score")
            self.gathered.members.append(refusal.gather(classifier, self.groups))

    def _write_cpu_engine(self, member: Member, classifier: Classifier, model: onnx.ModelProto, file: Path) -> str:
        """What the member's CPU engine is told; returns its precision."""
        precision = self.options.precision(member.name)
        settings: dict[str, Any] = {"precision": precision}
        if precision == "int8":
            self.progress(
                f"{member.name}: measuring activations on {len(self.options.calibration_photos)} photos for int8"
            )
            pixels = onnx_model.view(classifier, self.options.calibration_photos)
            settings["activation_ranges"] = activation_ranges.measure(model, pixels.numpy())
            self.progress(
                f"{member.name}: {len(settings['activation_ranges'])} linear layers in int8, the rest in bfloat16"
            )
        file.write_text(json.dumps(settings) + "\n")
        return precision

    def _check_cuda(
        self, member: Member, file: Path, pixels: torch.Tensor, expected: Sequence[NDArray[np.float32]]
    ) -> float | None:
        """The same network on a GPU, where ONNX Runtime has one; None where it has not, which is said."""
        if not sessions.has_cuda():
            return None
        try:
            session = sessions.on_cuda(file)
            sessions.try_out(session, pixels[:1].numpy())
        except ProviderError as error:
            self.progress(f"{member.name}: not compared on a GPU. {error}")
            return None
        # rounded weights are allowed their own difference, whatever computes with them
        bounds = [self.gates.bound("parity_cuda")]
        bounds += [self.gates.bound("parity_float16_weights")] if self.options.float16_weights else []
        difference = onnx_model.check_parity(member, session, pixels, expected, max(bounds))
        self.gates.at_most("parity_cuda" if len(bounds) == 1 else "parity_float16_weights", difference)
        self.progress(f"{member.name}: ONNX on {sessions.CUDA} agrees with torch within {difference:.1e}")
        return difference

    def _check_half(self, member: Member, file: Path, pixels: torch.Tensor) -> float:
        bound = self.gates.bound("half_precision")
        difference, statistics = half_precision.check_half(member, file, file.with_name(HALF), pixels, bound)
        self.seen_in_half.append(outliers.features(statistics))
        self.gates.at_most("half_precision", difference)
        self.progress(f"{member.name}: half precision agrees within {difference:.1e}")
        return difference

    def fit_refusal(self) -> None:
        """The outlier score, where there are photos to fit it on."""
        if not self.groups:
            self.report["refusal"] = None
            return
        self.outliers = refusal.fit(self.gathered, self.options.refusal)
        said = refusal.evidence(self.outliers, self.gathered, self.options.refusal)
        said["half_precision_score_difference"] = self._score_difference(self.seen_in_half)
        self.report["refusal"] = said
        if said["leaves"]:
            self.gates.at_most("refused_leaves", said["leaves"]["refused"], tuple(said["leaves"]["interval"]))
        for gate, key in (("refused_others", "others"), ("refused_near", "near_unseen_by_fit")):
            if said[key]:
                self.gates.at_least(gate, said[key]["refused"], tuple(said[key]["interval"]))

    def _scores(self, seen: list[Vectors]) -> Vectors | None:
        """Outlier scores of the check photos; None where there is no score, or nothing was seen."""
        return None if self.outliers is None or not seen else self.outliers.score(np.concatenate(seen, axis=1))

    def _score_difference(self, seen: list[Vectors]) -> float | None:
        """How far the score moves where members compute otherwise than torch does, in units of how far leaves scatter."""
        exact, other = self._scores(self.seen), self._scores(seen)
        return None if exact is None or other is None else float(np.abs(other - exact).max())

    def assemble(self, names: configuration.StepNames) -> None:
        """The averaging step, the views and the ensemble."""
        version = str(self.number)
        write_preprocessing(self.folder / names.preprocess / version, self.members)
        (self.folder / names.average / version).mkdir(parents=True)
        average = averaging.averaging_model(
            [averaging.Source(m.probabilities, m.answer, m.statistics, m.outputs.statistics) for m in self.members],
            PROBABILITIES,
            OUTLIER_SCORE,
            self.calibration.weights,
            self.members[0].class_count,
            self.calibration.after_averaging,
            self.outliers,
        )
        onnx.save(average, self.folder / names.average / version / "model.onnx")
        ensemble = configuration.ensemble(self.members, self.number, self.facts_with_probes(), names)
        write(self.folder / ensemble.name / "config.pbtxt", configuration.to_text(ensemble).encode())
        # Triton wants a version folder even where nothing lies in it
        write(self.folder / ensemble.name / version / ".gitkeep", b"")

    def prove(self, names: configuration.StepNames) -> None:
        """What a real Triton serves of it, then the report beside the ensemble."""
        self.report["served"] = None
        if self.options.triton_python is not None:
            self.progress("serving it aside, through a real Triton")
            with served.serving(self.folder, self.number, self.options.triton_python) as ask:
                said = served.compare(ask, self.members, self.samples, self.expected, self._scores(self.seen))
                probed = served.probe(ask, self.probes, self.promised()) if self.probes else 0.0
                said |= served.latencies(ask, self.samples[0], self.options.latency_seconds)
            # not max(): it passes over NaN
            self.gates.at_most("served_parity", float(np.max([*said["differences"].values(), probed])))
            self.report["served"] = said | {"probes_difference": probed}
        self.report |= report.of_release(
            self.members, self.folder, names, self.calibration, self.facts_with_probes(), self.gates
        )
        report.write_report(self.folder / f"{configuration.ENSEMBLE}_{self.number}", self.report)
