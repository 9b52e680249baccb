"""`GET /v1/release`: which release answers now, how good it is and what it accepts."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from gateway.api.caching import revalidated_json
from gateway.api.dependencies import ReleasesDep
from gateway.api.documentation import NOT_MODIFIED, REVALIDATION, answer, problems
from gateway.errors import NotReady
from gateway.images.headers import most_pixels_by_format
from gateway.predictions import batch, diagnosis_reply
from gateway.settings import Settings
from gateway.triton.release import Member, Release

router = APIRouter(tags=["release"])

_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "HEIF": "image/heic",
    "AVIF": "image/avif",
}


class MemberInfo(BaseModel):
    """One network of the ensemble."""

    name: str
    architecture: str | None = Field(description="timm's name of it, where the release says.")
    weight: float = Field(ge=0, le=1, description="Its share of the average.")
    input_size: tuple[int, int] | None = Field(description="Height and width in pixels of what it sees.")
    explains: bool = Field(description="Whether it can say where it saw a class.")


class Thresholds(BaseModel):
    """From probabilities to decisions; null where the release was not calibrated."""

    prediction_set_probability: float | None = Field(description="Least probability of a plausible class.")
    coverage: float | None = Field(description="How often the prediction set of one photo should hold the true class.")
    outlier_score: float | None = Field(description="Photos above it are rejected as not of the trained kind.")


class FormatLimit(BaseModel):
    """One accepted image format, told by its first bytes, not by its name."""

    format: str
    media_type: str
    max_pixels: int = Field(description="Less than the general limit where decoding takes much memory.")


class SeveralLimit(BaseModel):
    """What one request with several photos may hold."""

    max_photos: int
    max_bytes: int = Field(description="Of all photos together.")


class InputLimits(BaseModel):
    """What is accepted."""

    max_bytes: int = Field(description="Of one photo.")
    max_pixels: int = Field(description="Width times height.")
    min_side: int = Field(description="Pixels of the shorter side.")
    max_aspect_ratio: float = Field(description="Longer side over shorter.")
    max_frames: int = Field(description="Images in one file.")
    formats: list[FormatLimit]
    batch: SeveralLimit
    diagnosis: SeveralLimit
    receive_timeout_s: float = Field(description="To send a request; longer for one that keeps coming.")
    receive_min_bytes_per_s: int = Field(description="Speed that earns a request more time, while there is room.")
    receive_stall_s: float = Field(description="Longest pause while a request is sent.")
    answer_timeout_s: float = Field(description="From the last byte of a photo to its answer.")
    group_answer_timeout_s: float = Field(description="The same for a batch or diagnosis.")


class ReleaseInfo(BaseModel):
    """The release that answers now."""

    release: int
    task: str
    crop: dict[str, str] = Field(description="Name of the plant by language.")
    languages: list[str]
    classes: list[str] = Field(description="Keys, in class order.")
    members: list[MemberInfo]
    thresholds: Thresholds
    metrics: dict[str, Any] = Field(
        description="Quality on test photos that it never saw; the averaging of each figure is in its name. Empty: unknown."
    )
    limits: InputLimits


_EXAMPLE: dict[str, Any] = {
    "release": 3,
    "task": "cassava",
    "crop": {"en": "cassava", "fr": "manioc"},
    "languages": ["en", "fr", "sw"],
    "classes": ["cbb", "cbsd", "cgm", "cmd", "healthy"],
    "members": [
        {
            "name": "efficientnet_b4",
            "architecture": "efficientnet_b4",
            "weight": 0.5,
            "input_size": [380, 380],
            "explains": True,
        },
        {
            "name": "vit_base_384",
            "architecture": "vit_base_patch16_384",
            "weight": 0.5,
            "input_size": [384, 384],
            "explains": False,
        },
    ],
    "thresholds": {"prediction_set_probability": 0.21, "coverage": 0.95, "outlier_score": None},
    "metrics": {"test_photos": 2139, "accuracy_micro": 0.89, "f1_macro": 0.81},
    "limits": {
        "max_bytes": 20971520,
        "max_pixels": 67108864,
        "min_side": 32,
        "max_aspect_ratio": 8,
        "max_frames": 1,
        "formats": [
            {"format": "JPEG", "media_type": "image/jpeg", "max_pixels": 67108864},
            {"format": "WEBP", "media_type": "image/webp", "max_pixels": 25506204},
        ],
        "batch": {"max_photos": 16, "max_bytes": 33554432},
        "diagnosis": {"max_photos": 10, "max_bytes": 33554432},
        "receive_timeout_s": 30,
        "receive_min_bytes_per_s": 2048,
        "receive_stall_s": 10,
        "answer_timeout_s": 4.8,
        "group_answer_timeout_s": 20,
    },
}


@router.get(
    "/v1/release",
    summary="The release that answers, and its limits",
    responses={**answer(ReleaseInfo, "The current release.", _EXAMPLE), **NOT_MODIFIED, **problems(NotReady)},
    openapi_extra={"parameters": [REVALIDATION]},
)
@router.head("/v1/release", include_in_schema=False)
async def release(request: Request, releases: ReleasesDep) -> Response:
    """Number, members, quality figures, thresholds and all limits; public."""
    chosen = releases.chosen()
    settings: Settings = request.app.state.settings
    told = ReleaseInfo(
        release=chosen.number,
        task=chosen.task,
        crop=dict(chosen.crop),
        languages=list(chosen.languages),
        classes=[leaf_class.key for leaf_class in chosen.classes],
        members=[_member(*pair) for pair in zip(chosen.members, chosen.weights, strict=True)],
        thresholds=Thresholds(
            prediction_set_probability=chosen.thresholds.prediction_set_probability,
            coverage=chosen.thresholds.coverage,
            outlier_score=chosen.outlier.threshold if chosen.outlier else None,
        ),
        metrics=dict(chosen.metrics),
        limits=_limits(chosen, settings),
    )
    return revalidated_json(request, told.model_dump())


def _member(member: Member, weight: float) -> MemberInfo:
    return MemberInfo(
        name=member.name,
        architecture=member.architecture or None,
        weight=round(weight, 4),
        input_size=(member.view.height, member.view.width) if member.view else None,
        explains=member.activation_map is not None and member.view is not None,
    )


def _limits(release: Release, settings: Settings) -> InputLimits:
    limits = release.limits
    pixels = most_pixels_by_format(settings.decode_memory_bytes, limits)
    several_bytes = min(settings.group_max_bytes, settings.upload_buffer_bytes)
    return InputLimits(
        max_bytes=min(limits.max_bytes, settings.upload_buffer_bytes),
        max_pixels=limits.max_pixels,
        min_side=limits.min_side,
        max_aspect_ratio=limits.max_aspect_ratio,
        max_frames=1,
        formats=[
            FormatLimit(format=name, media_type=media_type, max_pixels=pixels[name])
            for name, media_type in _MEDIA_TYPES.items()
        ],
        batch=SeveralLimit(max_photos=batch.MOST_PHOTOS, max_bytes=several_bytes),
        diagnosis=SeveralLimit(max_photos=diagnosis_reply.MOST_PHOTOS, max_bytes=several_bytes),
        receive_timeout_s=settings.receive_timeout_s,
        receive_min_bytes_per_s=settings.receive_min_bytes_per_s,
        receive_stall_s=settings.receive_stall_s,
        answer_timeout_s=settings.request_deadline_s,
        group_answer_timeout_s=max(settings.group_deadline_s, settings.request_deadline_s),
    )
