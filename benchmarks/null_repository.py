"""A model repository whose release answers at once, to measure everything around the networks."""

import json
import shutil
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

CLASSES = ("cbb", "cbsd", "cgm", "cmd", "healthy")
OUTPUTS = ("probabilities", "answer_first", "answer_second")
ENSEMBLE = "leaf_ensemble_1"
PARAMETERS = {
    "release": 1,
    "task": "null",
    "classes": [{"key": key, "names": {"en": key}, "advice": {"en": "none"}, "source": "none"} for key in CLASSES],
    "languages": ["en"],
    "members": [{"name": name.removeprefix("answer_"), "output": name} for name in OUTPUTS[1:]],
    "thresholds": {"prediction_set_probability": 0.2, "coverage": 0.9},
    "limits": {"max_bytes": 20 * 2**20, "max_pixels": 64 * 2**20, "min_side": 32, "max_aspect_ratio": 8},
    "metrics": {},
}


def write(repository: Path) -> None:
    """Write the step that answers and the ensemble around it, into an empty folder."""
    step = pb.ModelConfig(name="preprocess", backend="python", max_batch_size=16)
    step.input.add(name="encoded_image", data_type=pb.TYPE_UINT8, dims=[-1], allow_ragged_batch=True)
    ensemble = pb.ModelConfig(name=ENSEMBLE, platform="ensemble", max_batch_size=16)
    ensemble.input.add(name="encoded_image", data_type=pb.TYPE_UINT8, dims=[-1])
    link = ensemble.ensemble_scheduling.step.add(model_name=step.name, model_version=1)
    link.input_map["encoded_image"] = "encoded_image"
    for name in OUTPUTS:
        step.output.add(name=name, data_type=pb.TYPE_FP32, dims=[len(CLASSES)])
        ensemble.output.add(name=name, data_type=pb.TYPE_FP32, dims=[len(CLASSES)])
        link.output_map[name] = name
    step.instance_group.add(count=1, kind=pb.ModelInstanceGroup.KIND_CPU)
    step.dynamic_batching.default_queue_policy.max_queue_size = 256
    step.dynamic_batching.default_queue_policy.allow_timeout_override = True
    for key, value in PARAMETERS.items():
        ensemble.parameters[key].string_value = json.dumps(value)
    for config in (step, ensemble):
        (repository / config.name / "1").mkdir(parents=True)
        (repository / config.name / "config.pbtxt").write_text(text_format.MessageToString(config))
    shutil.copy(Path(__file__).with_name("null_model.py"), repository / step.name / "1" / "model.py")
