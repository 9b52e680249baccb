"""`GET /v1/classes`: what the current release can tell apart."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from gateway.api.caching import revalidated_json
from gateway.api.dependencies import ReleasesDep
from gateway.api.documentation import LANGUAGE, NOT_MODIFIED, REVALIDATION, answer, problems
from gateway.errors import NotReady
from gateway.languages import ENGLISH, choose_language
from gateway.predictions.replies import advice_on

router = APIRouter(tags=["release"])


class ClassInfo(BaseModel):
    """One class."""

    id: int = Field(ge=0, description="`predicted_class_id` of a prediction.")
    key: str = Field(description="Stable over releases and languages; what feedback names.")
    name: str
    advice: str | None = Field(description="What to do about it; null where the release has none.")
    advice_source: str | None = Field(description="Whose advice it is.")


class ClassList(BaseModel):
    """All classes in their order."""

    task: str
    crop: str | None = Field(description="The plant that it knows.")
    release: int
    language: str = Field(description="Of the names; advice may be in English.")
    languages: list[str] = Field(description="That the release speaks.")
    classes: list[ClassInfo]


_EXAMPLE = {
    "task": "cassava",
    "crop": "cassava",
    "release": 3,
    "language": "en",
    "languages": ["en", "sw"],
    "classes": [
        {
            "id": 0,
            "key": "cbb",
            "name": "Cassava Bacterial Blight",
            "advice": "Pull out and burn plants with dying shoots. Take cuttings from healthy plants only.",
            "advice_source": "https://plantwiseplusknowledgebank.org",
        },
        {"id": 1, "key": "healthy", "name": "Healthy", "advice": None, "advice_source": None},
    ],
}


@router.get(
    "/v1/classes",
    summary="Classes with names and advice",
    responses={
        **answer(ClassList, "The classes of the current release.", _EXAMPLE),
        **NOT_MODIFIED,
        **problems(NotReady),
    },
    openapi_extra={"parameters": [LANGUAGE, REVALIDATION]},
)
@router.head("/v1/classes", include_in_schema=False)
async def classes(request: Request, releases: ReleasesDep) -> Response:
    """The classes in the caller's language; public."""
    release = releases.chosen()
    language = choose_language(request.headers.get("accept-language", ""), release.languages)
    told = ClassList(
        task=release.task,
        crop=release.crop.get(language) or release.crop.get(ENGLISH),
        release=release.number,
        language=language,
        languages=list(release.languages),
        classes=[
            ClassInfo(
                id=class_id,
                key=leaf_class.key,
                name=release.names[language][class_id],
                **dict(zip(("advice", "advice_source"), advice_on(leaf_class, language), strict=True)),
            )
            for class_id, leaf_class in enumerate(release.classes)
        ],
    )
    return revalidated_json(request, told.model_dump(), language)
