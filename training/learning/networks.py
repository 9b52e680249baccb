"""Networks by name, and where their first weights come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from timm.models import load_state_dict
from torch import Tensor, nn

import architectures  # noqa: F401  # registers the networks of our own with timm
from training.config.groups import ModelConfig, TrainingConfig
from training.errors import ConfigurationError, WeightsError

REFUSALS = (RuntimeError, TypeError, ValueError, AssertionError, KeyError, AttributeError)


def build_network(config: ModelConfig, classes: int) -> nn.Module:
    """Create the timm network whose `pretrained_cfg` already states the evaluation transform.

    Returns:
        A module from float32 [N, 3, S, S] to logits float32 [N, classes].

    Raises:
        ConfigurationError: timm does not know the architecture or refuses the arguments.
        WeightsError: the pretrained weights cannot be had, or do not belong to the architecture.
    """
    if not timm.is_model(config.architecture):
        raise ConfigurationError(
            f"timm does not know model.architecture {config.architecture!r}: see timm.list_models(), or architectures/."
        )
    overlay: dict[str, Any] = {
        "input_size": (3, config.input_size, config.input_size),
        "mean": config.mean,
        "std": config.std,
        "interpolation": config.interpolation,
        "crop_pct": config.crop_pct,
        "crop_mode": config.crop_mode,
    }
    arguments = dict(config.arguments)
    if config.dropout is not None:
        arguments["drop_rate"] = config.dropout
    if config.drop_path is not None:
        arguments["drop_path_rate"] = config.drop_path
    try:
        json.dumps(arguments)
        plain: nn.Module = timm.create_model(
            config.architecture, num_classes=classes, pretrained_cfg_overlay=overlay, **arguments
        )
    except REFUSALS as error:
        raise ConfigurationError(
            f"timm cannot build {config.architecture!r} with model.arguments {arguments}: {error}"
        ) from error
    if config.pretrained_file:
        return _from_file(config, classes, overlay, arguments)
    return _from_hub(config, classes, overlay, arguments, plain) if config.pretrained else plain


def try_crops(network: nn.Module, config: TrainingConfig) -> None:
    """Show the new network a crop of each size that it will learn from, where that is not the size of its input.

    Raises:
        ConfigurationError: it takes one size only, as most ViTs do.
    """
    sides = set(config.augmentation.progressive or [config.augmentation.crop_size or config.model.input_size])
    for side in sorted(sides - {config.model.input_size}):
        try:
            with torch.no_grad():
                network.eval()(torch.zeros(1, 3, side, side))
        except REFUSALS as error:
            raise ConfigurationError(
                f"augmentation.crop_size, progressive: {config.model.architecture!r} cannot learn from crops of {side} pixels "
                f"({error}). Leave them out; many ViTs take other sizes with --model.arguments.dynamic_img_size true."
            ) from error
        finally:
            network.train()


def weights_source(config: ModelConfig, network: nn.Module, seed: int) -> dict[str, str]:
    """What the first weights were, for report.json."""
    if config.pretrained_file:
        file = Path(config.pretrained_file)
        return {"from": "file", "file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    if config.pretrained:
        source: Mapping[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
        return {"from": "hub", "name": str(source.get("hf_hub_id") or source.get("url"))}
    return {"from": "random numbers", "seed": str(seed)}


def _from_hub(
    config: ModelConfig, classes: int, overlay: dict[str, Any], arguments: dict[str, Any], plain: nn.Module
) -> nn.Module:
    source: Mapping[str, Any] = plain.pretrained_cfg  # type: ignore[assignment]
    if not any(source.get(key) for key in ("hf_hub_id", "url")):
        raise WeightsError(
            f"There are no pretrained weights of {config.architecture!r}: set model.pretrained to false, or name a file "
            "in model.pretrained_file."
        )
    try:
        network: nn.Module = timm.create_model(
            config.architecture, pretrained=True, num_classes=classes, pretrained_cfg_overlay=overlay, **arguments
        )
    except Exception as error:  # the hub's client raises a dozen unrelated kinds, urllib some more
        where = source.get("hf_hub_id") or source.get("url")
        raise WeightsError(
            f"The pretrained weights of {config.architecture!r} ({where}) could not be had: {type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else ''} Without network, bring the file over and give "
            "--model.pretrained_file, or start from random weights with --model.pretrained false."
        ) from error
    return network


def _from_file(config: ModelConfig, classes: int, overlay: dict[str, Any], arguments: dict[str, Any]) -> nn.Module:
    path = Path(config.pretrained_file)
    if not path.is_file():
        raise WeightsError(f"{path} does not exist: correct model.pretrained_file.")
    try:
        stored = load_state_dict(str(path), use_ema=False)
        network: nn.Module = timm.create_model(
            config.architecture,
            pretrained=True,
            num_classes=classes,
            pretrained_cfg_overlay=overlay | {"file": str(path)},
            **arguments,
        )
    except (*REFUSALS, OSError, EOFError, SafetensorError) as error:
        raise WeightsError(
            f"{path} cannot be loaded into {config.architecture!r}: {error}. Give a .safetensors or .pth file of that "
            "architecture."
        ) from error
    except Exception as error:  # an unpickler may raise anything
        raise WeightsError(f"{path} is no file of weights: {error}") from error
    # timm is lenient once the classes differ: a file of another architecture would load nothing, silently.
    known = {_content(tensor) for tensor in stored.values() if isinstance(tensor, Tensor)}
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    found = sum(_content(parameter) in known for parameter in weights)
    if 2 * found < len(weights):
        raise WeightsError(
            f"{path} holds {found} of the {len(weights)} weights of {config.architecture!r}: it belongs to another "
            "architecture, or to other model.arguments."
        )
    return network


def _content(tensor: Tensor) -> bytes:
    values = tensor.detach().to(torch.float32).contiguous().numpy()
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).digest()
