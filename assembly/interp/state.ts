/**
 * The state of one activation (a run, or a callback): registers, position, frames of bpf-to-bpf calls.
 *
 * Mirror of src/interp/state.ts, which allocates it. Offsets in bytes.
 */

/** r0 .. r15, u64 each; only r0 .. r10 are ever named by a program that loads. */
export const ST_REGS: usize = 0;
/** u32 address of the current instruction, of the program's first, of its last plus one (a slot that faults). */
export const ST_PC: usize = 128;
export const ST_INSNS: usize = 132;
/** u64 back edges and calls left. */
export const ST_FUEL: usize = 136;
/** u64 address of the access that faulted. */
export const ST_FAULT_ADDR: usize = 144;
/** u16 per slot: stack bytes of the function that starts there. */
export const ST_DEPTHS: usize = 152;
/** u32 stack bytes of the running function, rounded up to 16. */
export const ST_DEPTH: usize = 156;
/** u32 lowest address that frames may use. */
export const ST_STACK_LIMIT: usize = 160;
/** u32 frames below the running one. */
export const ST_FRAMES: usize = 164;
/** u32 may_goto iterations left in the running frame. */
export const ST_MAY_GOTO: usize = 168;
/** Stepping only: u32 steps left; u32 address of a byte per slot, 1 = breakpoint, or 0; u32 address of
 * u32 hit counts, or 0; u32 1 = report accesses. */
export const ST_STEPS: usize = 172;
export const ST_BREAKS: usize = 176;
export const ST_HITS: usize = 180;
export const ST_WATCH: usize = 184;
/** Stepping only: u32 1 = a breakpoint on the first instruction is passed over. */
export const ST_PASS: usize = 188;
/** MAX_CALL_FRAMES frames of callers. */
export const ST_FRAME: usize = 192;

/** A caller's frame: r1 .. r10, u32 return address, u32 stack bytes, u32 may_goto left. */
export const FR_REGS: usize = 0;
export const FR_PC: usize = 80;
export const FR_DEPTH: usize = 84;
export const FR_MAY_GOTO: usize = 88;
export const FR_SIZE: u32 = 96;

/** Frames above the first: Linux's MAX_CALL_FRAMES is 8 in all. */
export const MAX_FRAMES: u32 = 7;
/** BPF_MAX_LOOPS. */
export const MAY_GOTO_MAX: u32 = 8388608;

/** Why a run came back. */
export const EXIT: u32 = 0;
/** The instruction before pc calls a helper or kfunc; callx too. */
export const HELPER: u32 = 1;
/** The instruction before pc is BPF_LD_ABS or BPF_LD_IND; its offset is the low word of ST_FAULT_ADDR. */
export const PACKET: u32 = 2;
export const STEP: u32 = 3;
export const BREAK: u32 = 4;
export const NO_FUEL: u32 = 5;
export const BAD_ACCESS: u32 = 6;
export const BAD_INSN: u32 = 7;
export const TOO_DEEP: u32 = 8;
export const NO_STACK: u32 = 9;
/** The instruction before pc calls a function that is patched: its address is the low word of ST_FAULT_ADDR. */
export const PATCHED: u32 = 10;
/** Bit of ST_DEPTHS: the function is patched. */
export const DEPTH_PATCHED: u32 = 0x8000;
