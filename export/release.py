"""Writes release N into a model repository: complete or absent.

Everything is written aside, as a repository of its own that Triton could load, and checked there. Then version folders
are renamed into place, the ensemble `leaf_ensemble_N` last: only it makes the release exist.
"""

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from PIL import Image

from export import (
    averaging,
    configuration,
    evidence,
    half_precision,
    judging,
    onnx_model,
    predecessor,
    probes,
    refusal,
    report,
    served,
)
from export.calibration import Calibration, calibrate
from export.configuration import OUTLIER_SCORE, PROBABILITIES
from export.durable import move, write
from export.facts import release_facts
from export.gates import Gates
from export.leaf_drawing import draw_leaf
from export.locking import ASIDE, writing
from export.members import Member, check_together
from export.options import ReleaseOptions
from export.outliers import OutlierModel
from export.refusal import Gathered
from export.steps import plan_steps, write_preprocessing, write_steps

ROOM_KEPT = 64
"""Bytes of parameters for what is known last, the outlier score's threshold."""
RETIRED = ".retired"
"""Where the gateway puts what it refused or pruned, one folder a release; numbers never come back."""
Progress = Callable[[str], None]


def next_number(repository: Path) -> int:
    """One more than any release that the repository holds or held, or of which a version is left."""
    ensembles = [re.fullmatch(rf"{configuration.ENSEMBLE}_(\d+)", p.name) for p in repository.glob("*")]
    used = [int(m[1]) for m in ensembles if m]
    versions = [int(p.parent.name) for p in repository.glob("*/*/model.onnx") if p.parent.name.isdecimal()]
    retired = [int(p.name) for p in (repository / RETIRED).glob("*") if p.name.isdecimal()]
    return 1 + max(used + versions + retired, default=0)


def write_release(
    repository: Path,
    members: list[Member],
    photos: Sequence[Image.Image],
    options: ReleaseOptions,
    progress: Progress,
) -> int:
    """Convert the members, prove the release and write it under the next number.

    Args:
        photos: RGB samples on which each conversion is checked; empty: drawn leaves.

    Returns:
        The release's number.

    Raises:
        ExportError: any of its kinds; the repository's releases are as before.
    """
    check_together(members)
    samples = list(photos) or [draw_leaf(seed) for seed in range(4)]
    with (
        writing(repository, progress),
        tempfile.TemporaryDirectory(prefix=ASIDE, dir=repository) as scratch,
    ):
        number = next_number(repository)
        draft = _Draft(Path(scratch), number, members, samples, options, progress)
        if options.follows is not None:
            draft.before = predecessor.f1_macro(repository, options.follows, members)
        configuration.ensemble(members, number, draft.facts())  # too large facts are refused before the work
        plan = plan_steps(repository, members)
        for member, temperature in zip(members, draft.calibration.temperatures, strict=True):
            draft.convert(member, temperature)
        draft.fit_refusal()
        draft.assemble(plan.names)
        write_steps(draft.folder, plan)
        draft.prove(plan.names)
        write_steps(repository, plan)
        for step in (plan.names.preprocess, *(member.name for member in members), plan.names.average):
            move(draft.folder / step / str(number), repository / step / str(number))
        ensemble = f"{configuration.ENSEMBLE}_{number}"
        move(draft.folder / ensemble, repository / ensemble)
    return number


class _Draft:
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
        self.groups = refusal.groups_of(members[0], options.refusal)
        self.report: dict[str, Any] = {"release": number, "check_photos": len(samples), "members": {}}
        self.expected: list[Any] = []
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

    def convert(self, member: Member, temperature: float) -> None:
        """One member to ONNX, checked against torch; its statistics of photos gathered on the way."""
        self.progress(f"{member.name}: loading {member.architecture}")
        classifier = onnx_model.load(member, temperature)
        pixels = onnx_model.view(classifier, self.samples)
        self.progress(f"{member.name}: converting to ONNX")
        model = onnx_model.to_onnx(member, classifier, pixels)
        if self.options.float16_weights:
            onnx_model.store_weights_as_float16(model)
        file = self.folder / member.name / str(self.number) / "model.onnx"
        file.parent.mkdir(parents=True)
        onnx.save(model, file)
        precision = self.options.cpu_precision_of.get(member.name, self.options.cpu_precision)
        (file.parent / "cpu_engine.json").write_text(json.dumps({"precision": precision}) + "\n")
        gate = "parity_float16_weights" if self.options.float16_weights else "parity"
        expected = onnx_model.answers(classifier, pixels)
        difference = onnx_model.check_parity(member, file, pixels, expected, self.gates.bound(gate))
        self.gates.at_most(gate, difference)
        self.progress(f"{member.name}: ONNX agrees with torch within {difference:.1e} on {len(self.samples)} photos")
        self.expected.append(expected[0])
        if self.probes:
            small = onnx_model.view(classifier, [probe.photo for probe in self.probes])
            self.probed.append(onnx_model.answers(classifier, small)[0])
        half = self._halve(member, file, model, pixels) if self.options.half_precision else None
        self.report["members"][member.name] = report.of_member(member, file, temperature, precision, difference, pixels)
        self.report["members"][member.name]["half_precision_difference"] = half
        if self.groups:
            count = sum(map(len, self.groups.values()))
            self.progress(f"{member.name}: looking at {count} photos for the outlier score")
            self.gathered.members.append(refusal.gather(classifier, self.groups))

    def _halve(self, member: Member, file: Path, model: onnx.ModelProto, pixels: torch.Tensor) -> float:
        half = file.with_name("model_float16.onnx")
        onnx.save(half_precision.to_half(model), half)
        difference = half_precision.check_half(member, file, half, pixels, self.gates.bound("half_precision"))
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
        self.report["refusal"] = said
        if said["leaves"]:
            self.gates.at_most("refused_leaves", said["leaves"]["refused"], tuple(said["leaves"]["interval"]))
        if said["others"]:
            self.gates.at_least("refused_others", said["others"]["refused"], tuple(said["others"]["interval"]))

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
        """Figures on test photos and through Triton, then the report beside the ensemble."""
        facts = self.facts_with_probes()
        self.report["comparison"] = evidence.compare(self.members, self.calibration)
        if self.report["comparison"] is not None:
            self.progress(self.report["comparison"]["verdict"])
            judging.judge_ensemble(self.gates, self.report["comparison"])
            judging.judge_loss(self.gates, self.report["comparison"], self.before)
        judging.judge_coverage(self.gates, self.members, self.calibration, facts["thresholds"])
        self.report["served"] = None
        if self.options.triton_python is not None:
            self.progress("serving it aside, through a real Triton")
            with served.serving(self.folder, self.number, self.options.triton_python) as ask:
                said = served.compare(ask, self.members, self.samples, self.expected)
                probed = served.probe(ask, self.probes, self.promised()) if self.probes else 0.0
                said |= served.latencies(ask, self.samples[0])
            self.gates.at_most("served_parity", max(*said["differences"].values(), probed))
            self.report["served"] = said | {"probes_difference": probed}
        self.report |= report.of_release(self.members, self.folder, names, self.calibration, facts, self.gates)
        report.write_report(self.folder / f"{configuration.ENSEMBLE}_{self.number}", self.report)
