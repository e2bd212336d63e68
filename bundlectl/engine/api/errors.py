"""The one error body of the API, as exceptions that the routes raise."""

from typing import Any


class ApiError(Exception):
    """A request that is refused. `status` is the HTTP status, `code` the error code of the Jobs API.

    `allow`: the methods that a path takes instead.
    """

    def __init__(self, status: int, code: str, message: str, *, allow: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allow = allow
        self.status = status
        self.code = code
        self.message = message

    def document(self) -> dict[str, Any]:
        """The body."""
        return {"error_code": self.code, "message": self.message, "details": []}


def invalid(message: str) -> ApiError:
    """Body, query or settings do not hold."""
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def missing(kind: str, id: object) -> ApiError:
    """No such job or run."""
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{kind} {id} does not exist.")
