/** Small changes to a program: most make it invalid in an interesting way. */
import { decode, encode } from "../../src/isa/codec.ts";
import type { FuzzCase, Random } from "./case.ts";
import { without } from "./minimise.ts";

/** Same class and operands, another operation: pairs of opcode bits to exchange. */
const ALU_OPS = [0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0];
const JMP_OPS = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0];
const SIZES = [0x00, 0x08, 0x10, 0x18];

export function mutate(c: FuzzCase, rng: Random): FuzzCase {
  let out = c;
  for (let n = 1 + rng.below(3); n > 0; n--) out = once(out, rng);
  return out;
}

function once(c: FuzzCase, rng: Random): FuzzCase {
  const count = c.insns.length / 8;
  const slot = rng.below(count);
  const second = slot > 0 && c.insns[8 * (slot - 1)] === 0x18;
  if (rng.chance(0.12) && !second && count > 2) return without(c, slot);
  const insns = decode(c.insns);
  const code = insns.code[slot];
  const cls = code & 7;
  if (second || code === 0x18) {
    if (insns.src[slot] === 0 || second) insns.imm[slot] = rng.chance(0.5) ? insns.imm[slot] + 1 : rng.imm();
    return { ...c, insns: encode(insns) };
  }
  switch (rng.below(6)) {
    case 0:
      if (cls === 1 || cls === 2 || cls === 3) insns.off[slot] += rng.pick([1, -1, 4, -4, 8, -8]);
      else if ((cls === 5 || cls === 6) && code !== 0x85 && code !== 0x95) insns.off[slot] += rng.pick([1, -1, 2]);
      else insns.imm[slot] += rng.pick([1, -1]);
      break;
    case 1:
      if (cls !== 1 && (code & 8) === 0)
        insns.imm[slot] = rng.chance(0.5) ? insns.imm[slot] + rng.pick([1, -1, 8, 16, -16]) : rng.imm();
      else insns.src[slot] = rng.below(11);
      break;
    case 2:
      if (code !== 0x85 && code !== 0x95) insns.dst[slot] = rng.below(10);
      break;
    case 3:
      if (cls === 4 || cls === 7) insns.code[slot] = rng.pick(ALU_OPS) | (code & 15);
      else if ((cls === 5 || cls === 6) && JMP_OPS.includes(code & 0xf0))
        insns.code[slot] = rng.pick(JMP_OPS) | (code & 15);
      else if (cls >= 1 && cls <= 3) insns.code[slot] = (code & ~0x18) | rng.pick(SIZES);
      break;
    case 4:
      // 32 bits for 64 and the other way round
      if (cls === 4 || cls === 7) insns.code[slot] = code ^ 3;
      else if ((cls === 5 || cls === 6) && JMP_OPS.includes(code & 0xf0)) insns.code[slot] = code ^ 3;
      break;
    default: {
      // an instruction from elsewhere takes this place
      const from = rng.below(count);
      if (insns.code[from] === 0x18 || (from > 0 && insns.code[from - 1] === 0x18)) break;
      for (const field of ["code", "dst", "src", "off", "imm"] as const) insns[field][slot] = insns[field][from];
    }
  }
  return { ...c, insns: encode(insns) };
}
