/** Hex text: digits in pairs; white space between them is ignored. */

/** @throws RangeError naming the first thing that is not a hex digit, or an odd count */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  const bad = /[^0-9a-fA-F]/.exec(digits);
  if (bad) throw new RangeError(`hex digit expected, saw '${bad[0]}' at digit ${bad.index}`);
  if (digits.length % 2) throw new RangeError(`an even number of hex digits expected, saw ${digits.length}`);
  const out = new Uint8Array(digits.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return out;
}

export function toHex(bytes: Uint8Array, separator = ""): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(separator);
}
