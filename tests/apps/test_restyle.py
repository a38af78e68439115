"""What is known of a picture that is transparent itself."""

from __future__ import annotations

import torch

from semantic_guidance.apps.restyle import Restyle
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.painting.painting import Painting


def test_what_is_seen_of_the_objects_stays_as_sure_and_as_wanted_as_it_was():
    """Left half seen, right half clear: of three objects one lies in the clear half, one is a faint veil."""
    alpha = torch.zeros(1, 8, 8)
    alpha[..., :4] = 1
    face, gone, veil = torch.zeros(3, 1, 8, 8).unbind()
    face[:, 2:6, 2:6], gone[:, :, 6:], veil[:, :, 1:7] = 1, 1, 0.4
    veil[:, 7, 7] = 1
    instances = (
        Instance.from_mask(face, "face", 0.3, 0.7, 0.25),
        Instance.from_mask(gone),
        Instance.from_mask(veil),
    )
    painting = Painting((), (1, 1, 1), 8, 8, guidance=Guidance(face, face, instances))
    picture = torch.full((3, 8, 8), 0.5)
    cut_out = Restyle(picture, None, None, None, False, None, alpha, own=True, cover=False)
    seen = cut_out.finished(painting).guidance.instances
    assert [(each.kind, each.confidence, each.salience, each.share) for each in seen] == [
        ("face", 0.3, 0.7, 0.25)
    ]
    assert seen[0].box == (2, 2, 2, 4)
