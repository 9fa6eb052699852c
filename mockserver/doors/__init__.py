"""The ways into the mock beside `mockserver.server`: HTTP/2, websockets, boto3 and httpx inside the process."""
