"""Shared by all tests."""

import cv2
import torch

# Several threads on a busy machine can be far slower than one.
torch.set_num_threads(1)
cv2.setNumThreads(1)
