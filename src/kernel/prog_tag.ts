/** What identifies the instructions of a program: bpf_prog_calc_tag(). */
import { BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE } from "../abi/bpf.ts";
import { toHex } from "../bytes/hex.ts";
import { sha256 } from "./sha256.ts";

const LD_IMM64 = 0x18;
const TAG_BYTES = 8;

/** SHA-256 over the instructions with map references blanked. */
export function progDigest(insnBytes: Uint8Array): Uint8Array {
  const bytes = insnBytes.slice();
  for (let at = 0; at + 16 <= bytes.length; at += 8) {
    if (bytes[at] !== LD_IMM64) continue;
    const src = bytes[at + 1]! >> 4;
    if (src === BPF_PSEUDO_MAP_FD || src === BPF_PSEUDO_MAP_VALUE) {
      bytes.fill(0, at + 4, at + 8);
      bytes.fill(0, at + 12, at + 16);
    }
    at += 8;
  }
  return sha256(bytes);
}

/** Its first 8 bytes in hex. */
export function progTag(insnBytes: Uint8Array): string {
  return toHex(progDigest(insnBytes).subarray(0, TAG_BYTES));
}
