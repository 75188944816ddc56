/**
 * 64-bit fields as two 32-bit words, little end first, to and from Number.
 *
 * BigInt would allocate; a Number is exact to 2^53. Sizes above that (a file truncated to 2^63-1)
 * lose low bits on the way through a Number, and 2^63-1 itself comes back exactly, because what
 * rounds up to 2^63 is stored as 2^63-1.
 */
const TWO_32 = 4294967296;
export const INT64_MAX = 2 ** 63;

export function getWide(words: Int32Array, word: number): number {
  const low = words[word];
  return words[word + 1] * TWO_32 + (low >>> 0);
}

export function setWide(words: Int32Array, word: number, value: number): void {
  if (value >= INT64_MAX) {
    words[word] = -1;
    words[word + 1] = 0x7fffffff;
    return;
  }
  words[word] = value | 0;
  words[word + 1] = Math.floor(value / TWO_32) | 0;
}
