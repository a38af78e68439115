"""Cut-outs of objects, composed over backgrounds."""
