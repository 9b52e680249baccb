"""The servers of these tests."""

from transfer_servers import bucket, s3, web

__all__ = ["bucket", "s3", "web"]
