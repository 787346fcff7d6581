"""Uploads that do not fit into memory. Run it: eyewall run examples/upload.py"""

import asyncio
import hashlib
import os
import tempfile
import uuid

from eyewall.web import Application, RequestHandler, UploadHandler, stream_request_body

FOLDER = tempfile.mkdtemp(prefix="uploads-")
GIB = 1024**3

FORM = """<!doctype html>
<form method="post" enctype="multipart/form-data">
  <input name="title"> <input type="file" name="photo"> <button>Send</button>
</form>
"""


class Photos(UploadHandler):
    """A form with files: parsed as it comes, small parts in memory, large ones on disk."""

    MAX_BODY_BYTES = 2 * GIB

    def get(self) -> None:
        self.write(FORM)

    async def post(self) -> None:
        form = await self.form()
        saved = []
        for photo in form.files.get("photo", []):
            # A name of our own: the client's is for showing, not for the file system.
            name = uuid.uuid4().hex
            await photo.save_to(os.path.join(FOLDER, name))
            saved.append({"name": name, "called": photo.filename, "size": photo.size})
        self.set_status(201)
        self.write({"title": self.get_body_argument("title", ""), "saved": saved})


@stream_request_body
class Digest(RequestHandler):
    """Any content, piece by piece, never more than one piece in memory."""

    def prepare(self) -> None:
        self.request.connection.set_max_body_size(10 * GIB)
        self.digest = hashlib.sha256()
        self.size = 0

    async def data_received(self, chunk: bytes) -> None:
        # The client waits for this: hardly anything is read from it meanwhile.
        await asyncio.to_thread(self.digest.update, chunk)
        self.size += len(chunk)

    def put(self) -> None:
        self.write({"size": self.size, "sha256": self.digest.hexdigest()})


app = Application([("/photos", Photos), ("/digest", Digest)])
