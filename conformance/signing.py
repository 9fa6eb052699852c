"""Signature Version 4 for requests of ours, by botocore, which is loaded only for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from conformance.exchange import Request

SIGNED_HEADERS = ("authorization", "x-amz-date", "x-amz-security-token")
"""The headers, in lower case, that a signature adds."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An access key, and what it signs for. The repr shows no secret."""

    access_key: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    service: str
    region: str


def signed(request: Request, endpoint: str, signer: Signer) -> Request:
    """The request with the headers of a signature made now, for the host and path of `endpoint`."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    held = AWSRequest(
        method=request.method,
        url=endpoint + request.target,
        data=request.body,
        headers=dict(request.headers),
    )
    credentials = Credentials(signer.access_key, signer.secret, signer.token)
    SigV4Auth(credentials, signer.service, signer.region).add_auth(held)
    return replace(request, headers=tuple((name, str(value)) for name, value in held.headers.items()))
