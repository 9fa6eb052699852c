"""What SDKs raise: openai's class for each status, and the error of a call by boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from botocore.exceptions import ClientError

CLASSES: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}


def class_of(status: int) -> type[openai.APIStatusError]:
    """What openai raises for a status; other 4xx are a plain APIStatusError, 5xx an InternalServerError."""
    return CLASSES.get(status, openai.InternalServerError if status >= 500 else openai.APIStatusError)


def error_of(call: Callable[..., Any], **arguments: Any) -> ClientError:
    """What boto3 raises for the call."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value
