"""Everything the gateway can answer instead of a prediction.

    Problem
    ├── MalformedRequest     400  not valid HTTP
    ├── MalformedUpload      400  the request body does not hold one image
    ├── CredentialInUrl      400  a key or token in the address, where logs and histories keep it
    ├── OriginRefused        400  a page of another site that may not call
    ├── Unauthenticated      401  no credential, or none that is valid
    ├── Forbidden            403  a valid credential that may not do this
    ├── NotFound             404  no such route
    ├── UnknownPrediction    404  never recorded, deleted, or somebody else's
    ├── UnknownFeedback      404  no such feedback, or it has no photo
    ├── MethodNotAllowed     405  the route exists, the method does not
    ├── ReceiveTimeout       408  the upload did not arrive in time
    ├── UnknownRelease       404  no such release, or no route for this task
    ├── FeedbackConflict     409  reviewed already, or changed since it was read
    ├── RouteConflict        409  somebody else changes the route, or has changed it since it was read
    ├── UploadTooLarge       413  more bytes than the release accepts
    ├── UnsupportedFormat    415  not one of the accepted image formats
    ├── InvalidRequest       422  a parameter of the request is not valid
    ├── InvalidRoute         422  a route that makes no sense, such as a rollback to nothing
    ├── ReleaseRefused       422  the release does not load or does not answer as it should; nothing was changed
    ├── UnknownClass         422  not a class of the release that answered
    ├── PhotoMismatch        422  not the photo that the prediction was made from
    ├── TooManyPhotos        422  more photos than one request may hold
    ├── NoUsablePhoto        422  none of a diagnosis' photos could be looked at; carries the problem of each
    ├── UnusableImage        422  (never raised itself)
    │   ├── ImageTooSmall         a side below the minimum
    │   ├── ImageTooLarge         too many pixels, or too much memory to decode
    │   ├── ImageTooElongated     one side much longer than the other
    │   ├── SeveralFrames         an animation or several pages
    │   └── UndecodableImage      broken or truncated
    ├── RateLimited          429  more than the caller's share
    ├── HeadTooLarge         431  header fields of unreasonable length
    ├── ClientGone           499  the client closed the connection; nobody reads this one
    ├── InternalError        500  a defect of the gateway
    ├── InferenceFailed      502  Triton failed for a reason that is not the image
    ├── Unavailable          503  (never raised itself; carries Retry-After)
    │   ├── Overloaded            too much work in the gateway
    │   │   └── TritonQueueFull   or in Triton's queue; the same for callers
    │   ├── TritonUnavailable     Triton does not answer
    │   ├── ReleaseGone           the release was unloaded meanwhile
    │   ├── NotReady              no release is ready, or none has answered lately
    │   ├── RecordsUnavailable    the database does not answer
    │   ├── ShuttingDown          this gateway was told to end
    │   └── CredentialsUnknown    the keys have not been read from the database yet
    └── DeadlineExceeded     504  no answer in time

    StartError                    the gateway cannot start or a command cannot run; one sentence that says what to do
    ├── AddressTakenError              another process listens there, or the address is not this machine's
    ├── MisconfiguredError             a setting, or a file that it names, is not usable
    │   └── InvalidDatabaseUrlError    not a database that is known, or no driver for it
    ├── DatabaseUnreachableError       no connection, or no right to create tables
    ├── NewerDatabaseError             written by a newer version
    ├── ExportError                    nothing to export, or nowhere to write it
    ├── InvalidAccessSettingsError     the secret or the settings of tokens or limits cannot be used
    └── NoCredentialsError             open to other machines, but nobody could be told apart

Each class carries its HTTP `status`, its stable `type` and its `title`; each instance a `detail` that says what to do.
"""

from typing import Any, ClassVar


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """An answer in the form of RFC 9457; `detail` is one or two sentences for the caller."""

    status: ClassVar[int]
    type: ClassVar[str]
    title: ClassVar[str]
    retry_after_s: ClassVar[int | None] = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def headers(self) -> dict[str, str]:
        """Header fields of the answer beside its type."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}

    @property
    def extensions(self) -> dict[str, Any]:
        """Members of the answer's body beside those that every problem has."""
        return {}


class MalformedRequest(Problem):
    """What arrived is not valid HTTP."""

    status = 400
    type = "/problems/malformed-request"
    title = "Malformed request"


class MalformedUpload(Problem):
    """The body is empty, or its multipart form does not hold exactly one `file`."""

    status = 400
    type = "/problems/malformed-upload"
    title = "Malformed upload"


class CredentialInUrl(Problem):
    """A key or token in the address, where logs, histories and other sites see it."""

    status = 400
    type = "/problems/credential-in-url"
    title = "Credential in the address"


class OriginRefused(Problem):
    """A browser asks for a page whose origin, method or header is not allowed (CORS preflight)."""

    status = 400
    type = "/problems/origin-refused"
    title = "Origin refused"


class Unauthenticated(Problem):
    """No credential was sent, or none that is valid."""

    status = 401
    type = "/problems/unauthenticated"
    title = "Valid credential needed"

    def __init__(self, detail: str, sent: bool) -> None:
        super().__init__(detail)
        self.sent = sent

    @property
    def headers(self) -> dict[str, str]:
        """`WWW-Authenticate` of RFC 6750, which names an error only where a credential was `sent`."""
        error = ', error="invalid_token"' if self.sent else ""
        return {"WWW-Authenticate": f'Bearer realm="leaf"{error}'}


class Forbidden(Problem):
    """The credential is valid and lacks the scope."""

    status = 403
    type = "/problems/forbidden"
    title = "Not allowed"

    def __init__(self, detail: str, scope: str) -> None:
        super().__init__(detail)
        self._scope = scope

    @property
    def headers(self) -> dict[str, str]:
        """`WWW-Authenticate` of RFC 6750 with the scope that would be needed."""
        return {"WWW-Authenticate": f'Bearer realm="leaf", error="insufficient_scope", scope="{self._scope}"'}


class NotFound(Problem):
    """There is no such route."""

    status = 404
    type = "/problems/not-found"
    title = "Not found"


class UnknownPrediction(Problem):
    """Never recorded, deleted, too old, or somebody else's."""

    status = 404
    type = "/problems/unknown-prediction"
    title = "Unknown prediction"


class UnknownFeedback(Problem):
    """No such feedback, or no photo was kept with it."""

    status = 404
    type = "/problems/unknown-feedback"
    title = "Unknown feedback"


class MethodNotAllowed(Problem):
    """The route does not know this method; `Allow` names those it knows."""

    status = 405
    type = "/problems/method-not-allowed"
    title = "Method not allowed"

    def __init__(self, detail: str, allow: str) -> None:
        super().__init__(detail)
        self._allow = allow

    @property
    def headers(self) -> dict[str, str]:
        """`Allow`, which RFC 9110 demands here."""
        return {"Allow": self._allow}


class ReceiveTimeout(Problem):
    """The upload did not arrive in time."""

    status = 408
    type = "/problems/receive-timeout"
    title = "Upload took too long"


class UnknownRelease(Problem):
    """No such release in the repository, or no route for this task."""

    status = 404
    type = "/problems/unknown-release"
    title = "Unknown release"


class FeedbackConflict(Problem):
    """An expert has reviewed it already, or it was changed since it was read."""

    status = 409
    type = "/problems/feedback-conflict"
    title = "Feedback has changed"


class RouteConflict(Problem):
    """Somebody else is changing the route, or has changed it since it was read."""

    status = 409
    type = "/problems/route-conflict"
    title = "Route has changed"


class UploadTooLarge(Problem):
    """The upload has more bytes than the release accepts."""

    status = 413
    type = "/problems/upload-too-large"
    title = "Upload too large"


class UnsupportedFormat(Problem):
    """The bytes are not one of the accepted image formats."""

    status = 415
    type = "/problems/unsupported-format"
    title = "Unsupported image format"


class InvalidRequest(Problem):
    """A parameter of the request is not valid."""

    status = 422
    type = "/problems/invalid-request"
    title = "Invalid request"


class InvalidRoute(Problem):
    """A route that makes no sense: a release as its own candidate, a rollback to nothing."""

    status = 422
    type = "/problems/invalid-route"
    title = "Impossible route"


class ReleaseRefused(Problem):
    """The release does not load, or does not answer as it should; the route is as before."""

    status = 422
    type = "/problems/release-refused"
    title = "Release refused"


class UnknownClass(Problem):
    """The key is not one of the classes of the release that answered."""

    status = 422
    type = "/problems/unknown-class"
    title = "Unknown class"


class PhotoMismatch(Problem):
    """The photo sent with a feedback is not the one that the prediction was made from."""

    status = 422
    type = "/problems/photo-mismatch"
    title = "Another photo"


class TooManyPhotos(Problem):
    """A batch or a diagnosis with more photos than one request may hold."""

    status = 422
    type = "/problems/too-many-photos"
    title = "Too many photos"


class NoUsablePhoto(Problem):
    """None of the photos of a diagnosis could be looked at; `photos` says why, each by its own problem."""

    status = 422
    type = "/problems/no-usable-photo"
    title = "No usable photo"

    def __init__(self, detail: str, photos: list[dict[str, Any]]) -> None:
        super().__init__(detail)
        self._photos = photos

    @property
    def extensions(self) -> dict[str, Any]:
        """`photos`: `index`, `file_name` and `problem` of each."""
        return {"photos": self._photos}


class UnusableImage(Problem):
    """An accepted format, but an image that cannot be diagnosed."""

    status = 422


class ImageTooSmall(UnusableImage):
    """A side is below the minimum."""

    type = "/problems/image-too-small"
    title = "Image too small"


class ImageTooLarge(UnusableImage):
    """Too many pixels, or too much memory to decode."""

    type = "/problems/image-too-large"
    title = "Image too large"


class ImageTooElongated(UnusableImage):
    """One side is much longer than the other."""

    type = "/problems/image-too-elongated"
    title = "Image too elongated"


class SeveralFrames(UnusableImage):
    """An animation, or a file of several images."""

    type = "/problems/several-frames"
    title = "More than one frame"


class UndecodableImage(UnusableImage):
    """Broken or truncated image data."""

    type = "/problems/undecodable-image"
    title = "Image cannot be decoded"


class RateLimited(Problem):
    """The caller has used its share for now."""

    status = 429
    type = "/problems/rate-limited"
    title = "Too many requests"

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self._retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """When the same request will pass, if nothing else is asked meanwhile."""
        return {"Retry-After": str(self._retry_after_s)}


class HeadTooLarge(Problem):
    """The header fields and the address are too long."""

    status = 431
    type = "/problems/head-too-large"
    title = "Header fields too large"


class ClientGone(Problem):
    """The client closed the connection before the answer was ready."""

    status = 499
    type = "/problems/client-gone"
    title = "Client closed the connection"


class InternalError(Problem):
    """A defect of the gateway; the log holds the traceback under the request id."""

    status = 500
    type = "/problems/internal-error"
    title = "Internal error"


class InferenceFailed(Problem):
    """Triton failed for a reason that is not the image."""

    status = 502
    type = "/problems/inference-failed"
    title = "Inference failed"


class Unavailable(Problem):
    """The same request may succeed a little later."""

    status = 503
    retry_after_s = 1


class Overloaded(Unavailable):
    """Too much work in the gateway or in Triton's queue."""

    type = "/problems/overloaded"
    title = "Too many requests in work"


class TritonQueueFull(Overloaded):
    """The photo found no place in Triton's queue, or waited in it for too long."""


class TritonUnavailable(Unavailable):
    """Triton does not answer."""

    type = "/problems/triton-unavailable"
    title = "Inference server unavailable"
    retry_after_s = 5


class ReleaseGone(Unavailable):
    """The release was unloaded between its discovery and the call."""

    type = "/problems/release-gone"
    title = "Release no longer served"


class NotReady(Unavailable):
    """No release is ready, or none has answered an inference lately."""

    type = "/problems/not-ready"
    title = "Not ready"
    retry_after_s = 2


class ShuttingDown(Unavailable):
    """This gateway was told to end; another one, or its successor, answers."""

    type = "/problems/shutting-down"
    title = "Shutting down"
    retry_after_s = 2


class CredentialsUnknown(Unavailable):
    """The keys have not been read from the database yet, so none can be checked."""

    type = "/problems/credentials-unknown"
    title = "Credentials cannot be checked"
    retry_after_s = 2


class RecordsUnavailable(Unavailable):
    """The database of predictions and feedback does not answer."""

    type = "/problems/records-unavailable"
    title = "Record unavailable"
    retry_after_s = 5


class DeadlineExceeded(Problem):
    """No answer within the request's deadline."""

    status = 504
    type = "/problems/deadline-exceeded"
    title = "Deadline exceeded"
    retry_after_s = 2


class StartError(Exception):
    """The gateway cannot start, or a command cannot run; the message says what to do."""


class AddressTakenError(StartError):
    """Another process listens on the address, or it is not an address of this machine."""


class MisconfiguredError(StartError):
    """A setting, or a file that it names, is not usable."""


class InvalidDatabaseUrlError(MisconfiguredError):
    """Not the URL of a database that is known, or the driver for it is missing."""


class DatabaseUnreachableError(StartError):
    """No connection to the database, or its user may not do what is needed."""


class NewerDatabaseError(StartError):
    """The database was written by a newer version of the gateway."""


class ExportError(StartError):
    """There is nothing to export, or nowhere to write it."""


class InvalidAccessSettingsError(StartError):
    """The secret, or the settings of tokens or limits, cannot be used as they stand."""


class NoCredentialsError(StartError):
    """Other machines could reach the gateway, and there is neither a key nor a setting for tokens."""
