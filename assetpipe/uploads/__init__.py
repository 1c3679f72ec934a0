"""Uploads at run time: pictures and documents of strangers, checked, cleaned, named by content, and served as assets.

store = Uploads("var/uploads", secret=app.config["SECRET_KEY"], widths=(480, 960))
store.init_app(app)                       # answers below /uploads/, in front of the app
upload = store.add(request.files["picture"], request.files["picture"].filename)
upload.id, upload.url, upload.picture(alt="A red boat")
store.url(upload, width=640, format="avif")
"""

from __future__ import annotations

from assetpipe.uploads.errors import UploadError
from assetpipe.uploads.storage import Folder, Storage
from assetpipe.uploads.upload import Upload
from assetpipe.uploads.uploads import ALLOW, Uploads

__all__ = ["ALLOW", "Folder", "Storage", "Upload", "UploadError", "Uploads"]
