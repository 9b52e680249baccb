"""ONNX Runtime on the CPU, as every check here runs it."""

from pathlib import Path

import onnxruntime


def on_cpu(model: Path | bytes) -> onnxruntime.InferenceSession:
    """A file, or its content, ready to run."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # threads that wait in a loop take the cores from whatever else runs here
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
