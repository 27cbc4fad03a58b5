#pragma once

#include "picture.h"

/// The edges of a picture, white on black: gradients (Sobel) over a smoothed picture, thinned to their crests; crests
/// stronger than `high` are edges, and so are those stronger than `low` that hang together with one.
/// Source: J. Canny, "A Computational Approach to Edge Detection", 1986; the meaning of the thresholds is OpenCV's.
Picture find_edges(const Picture& picture, int low, int high);
