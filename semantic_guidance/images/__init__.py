"""Pictures: from files to tensors and back, their colours, and how close one is to another."""

from __future__ import annotations

from semantic_guidance.core.lazy import lazy

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Picture": "files",
        "load_grey": "files",
        "load_image": "files",
        "load_mask": "files",
        "load_objects": "files",
        "load_picture": "files",
        "resize_array": "arrays",
        "to_bytes": "arrays",
        "to_image": "files",
    },
)
