/**
 * struct xdp_dispatcher_config: what a dispatcher's constant data say of the programs in its slots.
 *
 *     0 u8 magic 236 | u8 version 2 | u8 programs | u8 1 = multi-buffer packets
 *     4 u32 actions after which the chain goes on [10], as bits 1 << action; bit 31 always
 *    44 u32 priorities [10]
 *    84 u32 load flags of the programs [10]
 *
 * Source   prog_dispatcher.h of xdp-tools; bpfman writes the same.
 */
import { BpfError, EINVAL } from "../../abi/errno.ts";

export const DISPATCHER_SLOTS = 10;
const DISPATCHER_VERSION = 2;
/** What a slot returns that no program is in. */
const DISPATCHER_RETVAL = 31;
const MAGIC = 236;
const CONFIG_BYTES = 4 + 3 * 4 * DISPATCHER_SLOTS;

export interface SlotConfig {
  readonly priority: number;
  /** Bits 1 << action. */
  readonly chainCallActions: number;
  /** BPF_F_* of the program's load: BPF_F_XDP_HAS_FRAGS. */
  readonly flags: number;
}

export interface DispatcherConfig {
  /** Packets may have fragments. */
  readonly frags: boolean;
  readonly slots: readonly SlotConfig[];
}

/** The struct by the names of its members, as the variable `conf` of a dispatcher's object takes it. */
export function configValue({ frags, slots }: DispatcherConfig): Record<string, number | number[]> {
  const column = (of: (slot: SlotConfig) => number) =>
    Array.from({ length: DISPATCHER_SLOTS }, (_, n) => (slots[n] ? of(slots[n]) >>> 0 : 0));
  return {
    magic: MAGIC,
    dispatcher_version: DISPATCHER_VERSION,
    num_progs_enabled: slots.length,
    is_xdp_frags: frags ? 1 : 0,
    chain_call_actions: column((s) => s.chainCallActions | (1 << DISPATCHER_RETVAL)),
    run_prios: column((s) => s.priority),
    program_flags: column((s) => s.flags),
  };
}

/** @throws EINVAL bytes of something else, or of another version */
export function decodeConfig(bytes: Uint8Array): DispatcherConfig {
  const [magic, version, count = 0, frags] = bytes;
  if (bytes.length < CONFIG_BYTES || magic !== MAGIC || version !== DISPATCHER_VERSION || count > DISPATCHER_SLOTS) {
    throw new BpfError(
      EINVAL,
      `dispatcher configuration of ${bytes.length} bytes, magic ${magic}, version ${version}, ${count} programs; ` +
        `wanted ${CONFIG_BYTES} bytes, magic ${MAGIC}, version ${DISPATCHER_VERSION}, at most ${DISPATCHER_SLOTS}`,
      { magic, version, count },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = (column: number, n: number) => view.getUint32(4 + 4 * (DISPATCHER_SLOTS * column + n), true);
  const slots = Array.from({ length: count }, (_, n) => ({
    chainCallActions: (at(0, n) & ~(1 << DISPATCHER_RETVAL)) >>> 0,
    priority: at(1, n),
    flags: at(2, n),
  }));
  return { frags: frags === 1, slots };
}
