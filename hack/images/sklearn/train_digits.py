#!/usr/bin/env python3
"""Train a small neural network on scikit-learn's own images of hand-written digits.

Prints one line per epoch. Exits with 1 when the accuracy on digits that it has not seen stays below --min-accuracy.
"""

import argparse
import os
import sys
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def arguments():
    def positive(text):
        value = int(text)
        if value < 1:
            raise argparse.ArgumentTypeError("must be at least 1")
        return value

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=positive, default=20, help="passes over the training set (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default %(default)s)")
    parser.add_argument("--min-accuracy", type=float, default=0.9, help="fail below this (default %(default)s)")
    return parser.parse_args()


def accelerators():
    """The environment by which a device plugin tells a container which accelerators it was given."""
    return {k: v for k, v in sorted(os.environ.items()) if k.startswith(("NVIDIA_", "CUDA_"))}


def main():
    args = arguments()
    for name, value in accelerators().items():
        print(f"{name}={value}")

    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data / 16.0, digits.target, test_size=0.25, stratify=digits.target, random_state=args.seed)
    print(f"digits: {len(train_x)} to learn from, {len(test_x)} to test on, seed {args.seed}")

    classes = np.unique(digits.target)
    model = MLPClassifier(hidden_layer_sizes=(256, 128), batch_size=32, learning_rate_init=0.001, random_state=args.seed)
    accuracy, start = 0.0, time.monotonic()
    for epoch in range(1, args.epochs + 1):
        model.partial_fit(train_x, train_y, classes)
        accuracy = model.score(test_x, test_y)
        loss = log_loss(test_y, model.predict_proba(test_x), labels=classes)
        print(f"epoch {epoch:2d}/{args.epochs}  loss {loss:.4f}  accuracy {accuracy:.4f}  "
              f"{time.monotonic() - start:.1f} s", flush=True)

    if accuracy < args.min_accuracy:
        print(f"accuracy {accuracy:.4f} is below {args.min_accuracy}", file=sys.stderr)
        return 1
    print(f"done: accuracy {accuracy:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
