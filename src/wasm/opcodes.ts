/**
 * WebAssembly instructions that the encoder knows, by their WAT names with "_" for ".".
 *
 * A number above 0xff is a prefixed instruction: prefix in the high byte, sub-opcode in the low one.
 * Source: WebAssembly core specification, "Binary Format", and the threads, tail-call and (legacy) exception proposals:
 *         what Node 20 and the browsers of its time have.
 */
export const OP = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  throw: 0x08,
  end: 0x0b,
  br: 0x0c,
  br_if: 0x0d,
  br_table: 0x0e,
  return: 0x0f,
  call: 0x10,
  call_indirect: 0x11,
  return_call: 0x12,
  return_call_indirect: 0x13,
  drop: 0x1a,
  select: 0x1b,
  local_get: 0x20,
  local_set: 0x21,
  local_tee: 0x22,
  global_get: 0x23,
  global_set: 0x24,
  table_get: 0x25,
  table_set: 0x26,

  i32_load: 0x28,
  i64_load: 0x29,
  i32_load8_s: 0x2c,
  i32_load8_u: 0x2d,
  i32_load16_s: 0x2e,
  i32_load16_u: 0x2f,
  i64_load8_s: 0x30,
  i64_load8_u: 0x31,
  i64_load16_s: 0x32,
  i64_load16_u: 0x33,
  i64_load32_s: 0x34,
  i64_load32_u: 0x35,
  i32_store: 0x36,
  i64_store: 0x37,
  i32_store8: 0x3a,
  i32_store16: 0x3b,
  i64_store8: 0x3c,
  i64_store16: 0x3d,
  i64_store32: 0x3e,
  memory_size: 0x3f,
  memory_grow: 0x40,

  i32_const: 0x41,
  i64_const: 0x42,

  i32_eqz: 0x45,
  i32_eq: 0x46,
  i32_ne: 0x47,
  i32_lt_s: 0x48,
  i32_lt_u: 0x49,
  i32_gt_s: 0x4a,
  i32_gt_u: 0x4b,
  i32_le_s: 0x4c,
  i32_le_u: 0x4d,
  i32_ge_s: 0x4e,
  i32_ge_u: 0x4f,
  i64_eqz: 0x50,
  i64_eq: 0x51,
  i64_ne: 0x52,
  i64_lt_s: 0x53,
  i64_lt_u: 0x54,
  i64_gt_s: 0x55,
  i64_gt_u: 0x56,
  i64_le_s: 0x57,
  i64_le_u: 0x58,
  i64_ge_s: 0x59,
  i64_ge_u: 0x5a,

  i32_clz: 0x67,
  i32_ctz: 0x68,
  i32_popcnt: 0x69,
  i32_add: 0x6a,
  i32_sub: 0x6b,
  i32_mul: 0x6c,
  i32_div_s: 0x6d,
  i32_div_u: 0x6e,
  i32_rem_s: 0x6f,
  i32_rem_u: 0x70,
  i32_and: 0x71,
  i32_or: 0x72,
  i32_xor: 0x73,
  i32_shl: 0x74,
  i32_shr_s: 0x75,
  i32_shr_u: 0x76,
  i32_rotl: 0x77,
  i32_rotr: 0x78,
  i64_clz: 0x79,
  i64_ctz: 0x7a,
  i64_popcnt: 0x7b,
  i64_add: 0x7c,
  i64_sub: 0x7d,
  i64_mul: 0x7e,
  i64_div_s: 0x7f,
  i64_div_u: 0x80,
  i64_rem_s: 0x81,
  i64_rem_u: 0x82,
  i64_and: 0x83,
  i64_or: 0x84,
  i64_xor: 0x85,
  i64_shl: 0x86,
  i64_shr_s: 0x87,
  i64_shr_u: 0x88,
  i64_rotl: 0x89,
  i64_rotr: 0x8a,
  i32_wrap_i64: 0xa7,
  i64_extend_i32_s: 0xac,
  i64_extend_i32_u: 0xad,
  i32_extend8_s: 0xc0,
  i32_extend16_s: 0xc1,
  i64_extend8_s: 0xc2,
  i64_extend16_s: 0xc3,
  i64_extend32_s: 0xc4,

  memory_copy: 0xfc0a,
  memory_fill: 0xfc0b,

  atomic_fence: 0xfe03,
  i32_atomic_load: 0xfe10,
  i64_atomic_load: 0xfe11,
  i32_atomic_load8_u: 0xfe12,
  i32_atomic_load16_u: 0xfe13,
  i64_atomic_load8_u: 0xfe14,
  i64_atomic_load16_u: 0xfe15,
  i64_atomic_load32_u: 0xfe16,
  i32_atomic_store: 0xfe17,
  i64_atomic_store: 0xfe18,
  i32_atomic_store8: 0xfe19,
  i32_atomic_store16: 0xfe1a,
  i64_atomic_store8: 0xfe1b,
  i64_atomic_store16: 0xfe1c,
  i64_atomic_store32: 0xfe1d,
  i32_atomic_rmw_add: 0xfe1e,
  i64_atomic_rmw_add: 0xfe1f,
  i64_atomic_rmw32_add_u: 0xfe24,
  i32_atomic_rmw_sub: 0xfe25,
  i64_atomic_rmw_sub: 0xfe26,
  i64_atomic_rmw32_sub_u: 0xfe2b,
  i32_atomic_rmw_and: 0xfe2c,
  i64_atomic_rmw_and: 0xfe2d,
  i64_atomic_rmw32_and_u: 0xfe32,
  i32_atomic_rmw_or: 0xfe33,
  i64_atomic_rmw_or: 0xfe34,
  i64_atomic_rmw32_or_u: 0xfe39,
  i32_atomic_rmw_xor: 0xfe3a,
  i64_atomic_rmw_xor: 0xfe3b,
  i64_atomic_rmw32_xor_u: 0xfe40,
  i32_atomic_rmw_xchg: 0xfe41,
  i64_atomic_rmw_xchg: 0xfe42,
  i64_atomic_rmw32_xchg_u: 0xfe47,
  i32_atomic_rmw_cmpxchg: 0xfe48,
  i64_atomic_rmw_cmpxchg: 0xfe49,
  i64_atomic_rmw32_cmpxchg_u: 0xfe4e,
} as const;

export type OpName = keyof typeof OP;
export type Op = (typeof OP)[OpName];

/** What follows an opcode in the binary. */
export type Immediate =
  | "none"
  | "block"
  | "u32"
  | "labels"
  | "callIndirect"
  | "mem"
  | "i32"
  | "i64"
  | "memidx"
  | "memidx2"
  | "fence";

const IMMEDIATES = {
  block: "block",
  loop: "block",
  if: "block",
  try: "block",
  catch: "u32",
  throw: "u32",
  br: "u32",
  br_if: "u32",
  br_table: "labels",
  call: "u32",
  return_call: "u32",
  call_indirect: "callIndirect",
  return_call_indirect: "callIndirect",
  local_get: "u32",
  local_set: "u32",
  local_tee: "u32",
  global_get: "u32",
  global_set: "u32",
  table_get: "u32",
  table_set: "u32",
  memory_size: "memidx",
  memory_grow: "memidx",
  memory_fill: "memidx",
  memory_copy: "memidx2",
  i32_const: "i32",
  i64_const: "i64",
  atomic_fence: "fence",
} as const satisfies Partial<Record<OpName, Immediate>>;

/** Instructions without an immediate: what `Code.op` takes. */
export type PlainOp = (typeof OP)[Exclude<OpName, keyof typeof IMMEDIATES | MemName>];
/** Loads, stores and atomics: what `Code.mem` takes. */
export type MemOp = (typeof OP)[MemName];
type MemName = Extract<OpName, `${string}_load${string}` | `${string}_store${string}` | `${string}_atomic_${string}`>;

const isMem = (name: string): boolean => /_(load|store)|_atomic_/.test(name) && name !== "atomic_fence";

/** Bytes that a load, store or atomic touches: its natural alignment. */
function accessBytes(name: string): number {
  const narrow = /(?:load|store|rmw)(8|16|32)/.exec(name);
  return narrow ? Number(narrow[1]) / 8 : name.startsWith("i32") ? 4 : 8;
}

export interface OpInfo {
  readonly name: OpName;
  /** The name in the text format. */
  readonly text: string;
  readonly immediate: Immediate;
  /** log2 of the natural alignment of a memory access; 0 for others. */
  readonly alignLog2: number;
}

function textName(name: string): string {
  if (/^(br_|return_)/.test(name)) return name;
  const text = name.replace(/^(i32|i64|local|global|table|memory|atomic)_/, "$1.");
  return text.replace(/\.atomic_/, ".atomic.").replace(/(\.rmw\d*)_/, "$1.");
}

/** By opcode number. */
export const OP_INFO: ReadonlyMap<number, OpInfo> = new Map(
  (Object.entries(OP) as [OpName, Op][]).map(([name, code]) => {
    const mem = isMem(name);
    const immediate = mem ? "mem" : ((IMMEDIATES as Partial<Record<OpName, Immediate>>)[name] ?? "none");
    return [code, { name, text: textName(name), immediate, alignLog2: mem ? Math.log2(accessBytes(name)) : 0 }];
  }),
);

/** alignLog2 by opcode number, for the encoder's hot path. */
export const ALIGN_LOG2: Uint8Array = (() => {
  const table = new Uint8Array(0x10000);
  for (const [code, info] of OP_INFO) table[code] = info.alignLog2;
  return table;
})();

export const VALTYPE = { i32: 0x7f, i64: 0x7e, funcref: 0x70 } as const;
export type ValType = "i32" | "i64";
