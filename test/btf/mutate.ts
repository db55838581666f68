/** Damaged copies of a BTF, the same ones at every run, so that what Linux said about them can be kept in a file. */

/** Changes one or two words of the type section: small values, neighbours, single bits, bytes, copies, kinds. */
export function mutateTypes(bytes: Uint8Array, seed: number): Uint8Array {
  let state = seed;
  const random = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  for (let i = 0; i < 4; i++) random(2);
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  const words = view.getUint32(12, true) / 4;
  for (let left = 1 + random(2); left > 0; left--) {
    const at = 24 + 4 * random(words);
    const old = view.getUint32(at, true);
    switch (random(6)) {
      case 0:
        view.setUint32(at, random(60), true);
        break;
      case 1:
        view.setUint32(at, old + random(5) - 2, true);
        break;
      case 2:
        view.setUint8(at + random(4), random(256));
        break;
      case 3:
        view.setUint32(at, (old ^ (1 << random(32))) >>> 0, true);
        break;
      case 4:
        view.setUint32(at, view.getUint32(24 + 4 * random(words), true), true);
        break;
      default:
        view.setUint8(at + 3, (view.getUint8(at + 3) & 0x80) | random(21));
    }
  }
  return out;
}
