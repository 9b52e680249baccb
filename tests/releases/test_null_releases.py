"""The stage itself: null releases are real ones to Triton, and cannot hide what they are."""

from pathlib import Path

import pytest
import tritonclient.grpc as grpc
from null_releases import NullRelease
from stage import PHOTO, staged
from triton_client import infer
from tritonclient.utils import InferenceServerException


def test_loading_a_release_leaves_the_versions_of_another_alone(tmp_path: Path) -> None:
    releases = (NullRelease(1), NullRelease(2), NullRelease(3, spoiled={"raises": True}), NullRelease(4, classes=7))
    with staged(tmp_path, releases[0]) as stage, grpc.InferenceServerClient(stage.triton.grpc_url) as control:
        first = stage.triton.pids()
        for release in releases[1:]:
            name = release.write(stage.repository)
            if release.spoiled:
                with pytest.raises(InferenceServerException, match=r"vit_base_384.*not loaded"):
                    control.load_model(name)
            else:
                control.load_model(name)
                row = infer(control, name, PHOTO, ["probabilities"])["probabilities"]
                assert row.tolist() == pytest.approx(release.answer(0), abs=1e-6)
        assert first <= stage.triton.pids()  # nobody was started anew
        assert infer(control, "leaf_ensemble_1", PHOTO, ["probabilities"])["probabilities"].shape == (5,)
