#!/usr/bin/python3
"""edges.py INPUT OUTPUT: as edges.cc, with OpenCV: the edges of every picture below INPUT, each as a grey PNG of the same stem."""
import os
import sys

import cv2


def main(given, made):
    for directory, _, names in os.walk(given):
        for name in sorted(names):
            path = os.path.join(directory, name)
            picture = cv2.imread(path)
            if picture is None:
                sys.exit(f"edges: {path}: not a picture that OpenCV knows")
            result = os.path.join(made, os.path.splitext(name)[0] + ".png")
            if not cv2.imwrite(result, cv2.Canny(picture, 100, 200)):
                sys.exit(f"edges: {result}: cannot be written")
            height, width = picture.shape[:2]
            print(f"{result}: {width} x {height}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: edges.py INPUT OUTPUT")
    main(sys.argv[1], sys.argv[2])
