/**
 * The state of one activation of the interpreter, in linear memory: mirror of assembly/interp/state.ts, which says what
 * each field is. Offsets in bytes.
 */
export const ST = {
  regs: 0,
  pc: 128,
  insns: 132,
  fuel: 136,
  faultAddr: 144,
  depths: 152,
  depth: 156,
  stackLimit: 160,
  frames: 164,
  mayGoto: 168,
  steps: 172,
  breaks: 176,
  hits: 180,
  watch: 184,
  pass: 188,
  frame: 192,
} as const;

export const FRAME = { regs: 0, pc: 80, depth: 84, mayGoto: 88, size: 96 } as const;

/** Linux's BPF_MAX_LOOPS. */
export const MAY_GOTO_MAX = 8388608;

export const STATE_BYTES = ST.frame + 8 * FRAME.size;

/** In the table of stack depths: the function is patched. */
export const DEPTH_PATCHED = 0x8000;

/** Why interp_run came back. */
export const WHY = {
  exit: 0,
  helper: 1,
  packet: 2,
  step: 3,
  break: 4,
  noFuel: 5,
  badAccess: 6,
  badInsn: 7,
  tooDeep: 8,
  noStack: 9,
  patched: 10,
} as const;
export type Why = (typeof WHY)[keyof typeof WHY];

/** Exports of interp.wasm. Arguments are addresses of states. */
export interface InterpExports {
  interp_run(state: number): Why;
  interp_step(state: number): Why;
  /** exit when it went well. */
  interp_call(state: number, target: number): Why;
  /** Address to go on at; 0 when the activation has ended. */
  interp_return(state: number): number;
}
