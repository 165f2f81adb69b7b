/** The numbers behind the explorables: pure functions, tested against Python. */

/** Return exp(x - max) / sum, for a list of numbers. */
export function softmax(values) {
  const top = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** Return the dot product of two lists of the same length. */
export function dot(left, right) {
  return left.reduce((sum, value, index) => sum + value * right[index], 0);
}

/**
 * Return scores, scaled scores, weights, and the weights without scaling.
 * `copies` says how often each vector repeats its coordinates.
 */
export function attend(query, keys, copies = 1) {
  const size = query.length * copies;
  const scores = keys.map((key) => copies * dot(query, key));
  const scaled = scores.map((score) => score / Math.sqrt(size));
  return { size, scores, scaled, weights: softmax(scaled), raw: softmax(scores) };
}

/** Return `length` rows of `d` numbers: sine and cosine of k / n^(2i/d). */
export function positions(length, d, n) {
  return Array.from({ length }, (_, k) =>
    Array.from({ length: d }, (_, i) => {
      const angle = k / n ** ((i - (i % 2)) / d);
      return i % 2 ? Math.cos(angle) : Math.sin(angle);
    }));
}

/**
 * Return the three masks of a Transformer; true = may attend.
 * `source` and `target` say of each token whether it is real (no pad).
 */
export function masks(source, target) {
  return {
    encoder: source.map(() => [...source]),
    decoder: target.map((_, row) => target.map((real, column) => real && column <= row)),
    cross: target.map((asks) => source.map((real) => asks && real)),
  };
}
