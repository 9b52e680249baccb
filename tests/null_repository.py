"""Writes a model repository of one null model and ensembles with the parameters that a release carries."""

import json
import shutil
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

CLASS_NAMES = {
    "cbb": {"en": "Cassava Bacterial Blight", "sw": "Baka Bakteria ya Muhogo"},
    "cbsd": {"en": "Cassava Brown Streak Disease", "sw": "Michirizi ya Kahawia ya Muhogo"},
    "cgm": {"en": "Cassava Green Mottle"},
    "cmd": {"en": "Cassava Mosaic Disease", "sw": "Batobato ya Muhogo"},
    "healthy": {"en": "Healthy", "sw": "Zima"},
}
LIMITS = {"max_bytes": 20_971_520, "max_pixels": 64 * 2**20, "min_side": 32, "max_aspect_ratio": 8}
MEMBERS = ("efficientnet_b4", "vit_base_384")
OUTPUTS = ("probabilities", *(f"answer_{member}" for member in MEMBERS))
MAPS = tuple(f"activation_map_{member}" for member in MEMBERS)
MAP_SHAPE = (len(CLASS_NAMES), 12, 12)
VIEW = {"height": 384, "width": 384, "crop_pct": 1.0, "crop_mode": "center"}
OUTLIER_THRESHOLD = 3.0
EXPLAINED: dict[str, object] = {
    "members": [
        {"name": name, "output": f"answer_{name}", "activation_map": f"activation_map_{name}", "view": VIEW}
        for name in MEMBERS
    ],
    "outlier": {"output": "outlier_score", "threshold": OUTLIER_THRESHOLD},
}
"""Parameters of a release that has class activation maps and an outlier score."""


def release_parameters(number: int, **changes: object) -> dict[str, object]:
    """The parameters of release `number`, as objects; `changes` replaces some of them."""
    return {
        "release": number,
        "task": "cassava",
        "classes": [
            {"key": key, "names": names, "advice": {"en": "Ask the extension service."}, "source": "none"}
            for key, names in CLASS_NAMES.items()
        ],
        "languages": ["en", "sw"],
        "members": [{"name": member, "output": f"answer_{member}"} for member in MEMBERS],
        "weights": [0.5, 0.5],
        "thresholds": {"prediction_set_probability": 0.2, "coverage": 0.95},
        "limits": LIMITS,
        "metrics": {},
        "crop": {},
        **changes,
    }


def write_null_model(repository: Path, max_queue_size: int = 256) -> None:
    """The step `preprocess`: here it also answers."""
    config = pb.ModelConfig(name="preprocess", backend="python", max_batch_size=8)
    config.input.add(name="encoded_image", data_type=pb.TYPE_UINT8, dims=[-1], allow_ragged_batch=True)
    for output in OUTPUTS:
        config.output.add(name=output, data_type=pb.TYPE_FP32, dims=[len(CLASS_NAMES)])
    _add_extra_outputs(config)
    config.instance_group.add(count=1, kind=pb.ModelInstanceGroup.KIND_CPU)
    policy = config.dynamic_batching.default_queue_policy
    policy.max_queue_size = max_queue_size
    policy.allow_timeout_override = True
    config.parameters["classes"].string_value = str(len(CLASS_NAMES))
    folder = repository / "preprocess"
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config))
    shutil.copy(Path(__file__).with_name("null_model.py"), folder / "1" / "model.py")


def write_ensemble(repository: Path, number: int, **changes: object) -> str:
    """The ensemble of release `number`; returns its name. `**EXPLAINED` gives it the outputs that explain an answer."""
    name = f"leaf_ensemble_{number}"
    config = pb.ModelConfig(name=name, platform="ensemble", max_batch_size=8)
    config.input.add(name="encoded_image", data_type=pb.TYPE_UINT8, dims=[-1])
    step = config.ensemble_scheduling.step.add(model_name="preprocess", model_version=1)
    step.input_map["encoded_image"] = "encoded_image"
    for output in OUTPUTS:
        config.output.add(name=output, data_type=pb.TYPE_FP32, dims=[len(CLASS_NAMES)])
        step.output_map[output] = output
    if "outlier" in changes:
        for output in _add_extra_outputs(config):
            step.output_map[output] = output
    for key, value in release_parameters(number, **changes).items():
        config.parameters[key].string_value = json.dumps(value)
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(text_format.MessageToString(config))
    return name


def _add_extra_outputs(config: pb.ModelConfig) -> tuple[str, ...]:
    """Declare the outlier score and the activation maps; returns their names."""
    config.output.add(name="outlier_score", data_type=pb.TYPE_FP32, dims=[1])
    for output in MAPS:
        config.output.add(name=output, data_type=pb.TYPE_FP32, dims=MAP_SHAPE)
    return ("outlier_score", *MAPS)
