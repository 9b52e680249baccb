"""Everything the gateway can answer instead of a prediction.

    Problem
    ├── MalformedUpload      400  the request body does not hold one image
    ├── NotFound             404  no such route
    ├── MethodNotAllowed     405  the route exists, the method does not
    ├── ReceiveTimeout       408  the upload did not arrive in time
    ├── UploadTooLarge       413  more bytes than the release accepts
    ├── UnsupportedFormat    415  not one of the accepted image formats
    ├── InvalidRequest       422  a parameter of the request is not valid
    ├── UnusableImage        422  (never raised itself)
    │   ├── ImageTooSmall         a side below the minimum
    │   ├── ImageTooLarge         too many pixels, or too much memory to decode
    │   ├── ImageTooElongated     one side much longer than the other
    │   ├── SeveralFrames         an animation or several pages
    │   └── UndecodableImage      broken or truncated
    ├── ClientGone           499  the client closed the connection; nobody reads this one
    ├── InternalError        500  a defect of the gateway
    ├── InferenceFailed      502  Triton failed for a reason that is not the image
    ├── Unavailable          503  (never raised itself; carries Retry-After)
    │   ├── Overloaded            too much work in the gateway or in Triton's queue
    │   ├── TritonUnavailable     Triton does not answer
    │   ├── ReleaseGone           the release was unloaded meanwhile
    │   └── NotReady              no release is ready, or none has answered lately
    └── DeadlineExceeded     504  no answer in time

Each class carries its HTTP `status`, its stable `type` and its `title`; each instance a `detail` that says what to do.
"""

from typing import ClassVar


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


class MalformedUpload(Problem):
    """The body is empty, or its multipart form does not hold exactly one `file`."""

    status = 400
    type = "/problems/malformed-upload"
    title = "Malformed upload"


class NotFound(Problem):
    """There is no such route."""

    status = 404
    type = "/problems/not-found"
    title = "Not found"


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


class DeadlineExceeded(Problem):
    """No answer within the request's deadline."""

    status = 504
    type = "/problems/deadline-exceeded"
    title = "Deadline exceeded"
    retry_after_s = 2
