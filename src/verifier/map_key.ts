/**
 * Array lookups with a key known at load time: in range, they cannot fail, so the result needs no null check.
 *
 * Source   get_constant_map_key(), can_elide_value_nullness() in kernel/bpf/verifier.c.
 */
import { BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY } from "../abi/bpf.ts";
import type { VerifierEnv } from "./env.ts";
import type { VerifierMap } from "./platform.ts";
import { markChainPrecisionBatch } from "./precision.ts";
import { PTR_TO_STACK, SCALAR_VALUE, STACK_SPILL, STACK_ZERO } from "./reg_type.ts";

export function canElideNullness(map: VerifierMap): boolean {
  return map.type === BPF_MAP_TYPE_ARRAY || map.type === BPF_MAP_TYPE_PERCPU_ARRAY;
}

/** The key's value, or -1 when it is not known (or the map's lookups can fail anyway). */
export function constantMapKey(env: VerifierEnv, regno: number, map: VerifierMap): number {
  const R = env.R;
  const key = env.reg(regno);
  if (!canElideNullness(map) || R.type(key) !== PTR_TO_STACK || !R.isConst(key)) return -1;
  const frameno = R.regFrameno(key);
  const frame = env.cur.frames[frameno];
  const slot = -(R.off(key) + R.value(key)) - 1;
  const spi = Math.floor(slot / 8);
  const first = slot % 8;

  let zeroes = 0;
  for (let i = first; i >= 0 && R.slotType(frame, spi, i) === STACK_ZERO; i--) zeroes++;
  if (zeroes >= map.keySize) return 0;

  const reg = R.slotAt(frame, spi);
  if (R.slotType(frame, spi, 7) !== STACK_SPILL || R.type(reg) !== SCALAR_VALUE) return -1;
  let spilled = 0;
  for (let i = first; i >= 0 && R.slotType(frame, spi, i) === STACK_SPILL; i--) spilled++;
  if (spilled !== map.keySize || !R.isConst(reg)) return -1;
  env.bt.setSlot(frameno, spi);
  markChainPrecisionBatch(env, env.cur);
  return R.value(reg);
}
