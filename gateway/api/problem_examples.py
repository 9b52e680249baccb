"""One example of every problem that is answered, as the API's description shows them."""

from typing import Any

from gateway import errors
from gateway.errors import Problem
from gateway.problems import problem_body

REQUEST_ID = "0f8c1d2e3a4b4c5d8e9fa0b1c2d3e4f5"

_UNDECODABLE = errors.UndecodableImage("The image data is broken or incomplete. Send the original file again.")
_EXAMPLES: tuple[Problem, ...] = (
    errors.MalformedRequest("The request is not valid HTTP/1.1."),
    errors.MalformedUpload("The upload is empty. Send the image as the body or as the form field `file`."),
    errors.CredentialInUrl(
        "Send the credential in the header Authorization or X-API-Key, not as 'api_key' in the address, where logs and "
        "histories keep it. If it was a real one, consider it leaked: revoke it and make another."
    ),
    errors.OriginRefused("Disallowed CORS origin. GATEWAY_CORS_ORIGINS names the sites whose pages may call."),
    errors.Unauthenticated(
        "Send an API key or a token in the header Authorization: Bearer <key>.",
        sent=False,
    ),
    errors.Forbidden("This needs a credential with the scope review.", "review"),
    errors.NotFound("There is nothing at /v1/prediction; /openapi.json lists the routes."),
    errors.UnknownPrediction("There is no such prediction, or it is somebody else's."),
    errors.UnknownFeedback("There is no such feedback."),
    errors.MethodNotAllowed("GET is not possible here; use POST.", "POST"),
    errors.ReceiveTimeout("Nothing of the upload has come for 10 seconds. Try again."),
    errors.UnknownRelease("There is no release 9 in the model repository; GET /v1/routes lists those that are there."),
    errors.FeedbackConflict("An expert has reviewed this feedback already, so it stays as it is."),
    errors.RouteConflict("The route was changed meanwhile. Look at it again, then repeat the change."),
    errors.UploadTooLarge(
        "An upload may have at most 20971520 bytes. Send a smaller or more strongly compressed image."
    ),
    errors.UnsupportedFormat("This is a GIF. Send JPEG, PNG, WebP, BMP, TIFF, HEIC or AVIF."),
    errors.InvalidRequest("Correct these parameters: query.explain: Input should be a valid boolean."),
    errors.InvalidRoute("There is no previous release to go back to; promote the one that you want by its number."),
    errors.ReleaseRefused("Release 9 answers probe photo 1 differently by 0.31, more than 0.02. Nothing was changed."),
    errors.UnknownClass("There is no class 'rust'; GET /v1/classes lists them."),
    errors.PhotoMismatch("This is not the file that the prediction was made from. Send the same file again."),
    errors.TooManyPhotos("The form holds 17 photos. Send at most 16 at once."),
    errors.NoUsablePhoto(
        "None of the photos can be used; `photos` says why. Take them again.",
        [
            {
                "index": 0,
                "file_name": "leaf.jpg",
                "problem": problem_body(_UNDECODABLE, instance="/v1/diagnoses", request_id=REQUEST_ID),
            }
        ],
    ),
    errors.ImageTooSmall("The image is 24x24 pixels; each side needs at least 32."),
    errors.ImageTooLarge("The image has more than 67 million pixels. Make it smaller and send it again."),
    errors.ImageTooElongated(
        "The image is 9000x800 pixels; the longer side may be at most 8 times the shorter. Crop it to the leaf."
    ),
    errors.SeveralFrames("This file holds more than one image. Send one still image."),
    _UNDECODABLE,
    errors.RateLimited("120 photos in 60 s are your share. Try again in 7 s.", 7),
    errors.HeadTooLarge("The request's header fields may have at most 65536 bytes together."),
    errors.ClientGone("The connection was closed before the answer was ready."),
    errors.InternalError(f"This is a defect of the service. Report it with the request id {REQUEST_ID}."),
    errors.InferenceFailed("The inference server failed. Report it with the request id if it stays so."),
    errors.Overloaded("Too many photos are in work. Try again in a second."),
    errors.TritonUnavailable("The inference server does not answer. Try again in a few seconds."),
    errors.ReleaseGone("The release was just unloaded. Try again in a second."),
    errors.NotReady("No release is ready yet. Try again in a few seconds."),
    errors.RecordsUnavailable("The record cannot be reached. Try again in a few seconds."),
    errors.ShuttingDown("This gateway is shutting down. Ask another one."),
    errors.CredentialsUnknown("The keys cannot be read from the database yet. Try again in a few seconds."),
    errors.DeadlineExceeded("The answer took too long. Try again in a few seconds."),
)
_BY_TYPE = {type(problem): problem for problem in _EXAMPLES}


def problem_example(kind: type[Problem], instance: str) -> dict[str, Any]:
    """The body that a problem of this type has at the path `instance`."""
    return problem_body(_BY_TYPE[kind], instance=instance, request_id=REQUEST_ID)


def problem_headers(kind: type[Problem]) -> list[str]:
    """Names of the header fields that come with a problem of this type."""
    return list(_BY_TYPE[kind].headers)


def documented_problems() -> list[type[Problem]]:
    """All types of problems, by status."""
    return sorted(_BY_TYPE, key=lambda kind: kind.status)
