"""Repositories of the Hugging Face hub as places: one push is one commit, one pull is of one commit."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from training.errors import TransferError
from training.transfer import http
from training.transfer.addresses import reason
from training.transfer.checksums import NAME
from training.transfer.places import Place

_NAME = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


class HubPlace(Place):
    """`hf://OWNER/NAME[@REVISION]`; the token is that of `hf auth login` or HF_TOKEN, the server that of HF_ENDPOINT.

    A new repository is private. timm opens what was pushed by itself: `timm.create_model("hf-hub:OWNER/NAME")`.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        found = _NAME.fullmatch(self.uri)
        if not found:
            raise TransferError(f"{self.shown}: write hf://OWNER/NAME, or hf://OWNER/NAME@REVISION.")
        self._repository, self._revision, self._commit = found[1], found[2], ""
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        import httpx2
        from huggingface_hub import HfApi, set_client_factory
        from huggingface_hub.utils._http import hf_request_event_hook

        set_client_factory(  # the hub's own client waits for ever
            lambda: httpx2.Client(
                event_hooks={"request": [hf_request_event_hook]},
                follow_redirects=True,
                timeout=httpx2.Timeout(http.STALL_S, connect=http.CONNECT_S),
            )
        )
        self._hub = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))

    def put(self, folder: Path, names: Sequence[str], sums: str) -> None:
        """As `Place.put`, in one commit."""
        from huggingface_hub import CommitOperationAdd

        try:
            self._hub.create_repo(self._repository, private=True, exist_ok=True)
            operations = [CommitOperationAdd(name, folder / name) for name in names]
            self._hub.create_commit(
                self._repository,
                [*operations, CommitOperationAdd(NAME, sums.encode())],
                commit_message="Trained-model folder",
                revision=self._revision,
            )
        except Exception as error:
            raise self._failed(error) from error

    def get(self, name: str, file: Path) -> None:
        """As `Place.get`; all files come from the commit that the first one came from."""
        from huggingface_hub.errors import EntryNotFoundError

        try:
            if not self._commit:
                self._commit = self._hub.repo_info(self._repository, revision=self._revision).sha or ""
            with tempfile.TemporaryDirectory(dir=file.parent, prefix=".hub-") as scratch:
                shutil.move(
                    self._hub.hf_hub_download(self._repository, name, revision=self._commit, local_dir=scratch), file
                )
        except EntryNotFoundError as error:
            raise http.NotThereError(f"{self.shown} holds no {name}: check the address.") from error
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> TransferError:
        """The hub's errors, its client's and the system's have no base in common."""
        return TransferError(f"{self.shown}: {reason(error)}. Check the name and HF_TOKEN, then try again.")
