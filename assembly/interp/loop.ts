/**
 * The interpreter's loop: executes the encoded instructions of one program from linear memory until it must ask the
 * driver (src/interp/driver.ts) for something.
 *
 * What the loader has done: every jump lands inside the program, registers are r0 .. r10, fields that say nothing valid
 * became code 0, PROBE_MEM loads have Linux's mode bits 0x20 and 0x40, and a slot of code 0 follows the last.
 *
 * Accesses  below 64 KiB or past the end of memory are faults; nothing here can trap.
 * Fuel      is charged on back edges and calls.
 * Widths    a load<u32> where AssemblyScript expects 64 bits is a 64-bit value: sums need <u32> around them.
 * T         u8: fast. u16: stepping, with hit counts, breakpoints and access reports.
 */
import {
  BAD_ACCESS,
  BAD_INSN,
  BREAK,
  DEPTH_PATCHED,
  EXIT,
  FR_DEPTH,
  FR_MAY_GOTO,
  FR_PC,
  FR_SIZE,
  HELPER,
  MAX_FRAMES,
  MAY_GOTO_MAX,
  NO_FUEL,
  NO_STACK,
  PACKET,
  PATCHED,
  ST_BREAKS,
  ST_DEPTH,
  ST_DEPTHS,
  ST_FAULT_ADDR,
  ST_FRAME,
  ST_FRAMES,
  ST_FUEL,
  ST_HITS,
  ST_INSNS,
  ST_MAY_GOTO,
  ST_PASS,
  ST_PC,
  ST_STACK_LIMIT,
  ST_STEPS,
  ST_WATCH,
  STEP,
  TOO_DEEP,
} from "./state";

/** Stepping: the program is about to access memory. */
// @ts-ignore: decorator
@external("env", "on_access")
declare function on_access(addr: u32, size: u32, write: u32): void;

const LOAD_ACQ: u32 = 0x100;
const STORE_REL: u32 = 0x110;
const FIRST_VADDR: u64 = 65536;

/** Runs until the program needs the driver; returns why. */
export function interp_run(s: u32): u32 {
  return loop<u8>(s);
}

/** The same, at most ST_STEPS instructions, stopping before an instruction that has a breakpoint. */
export function interp_step(s: u32): u32 {
  return loop<u16>(s);
}

function loop<T>(s: u32): u32 {
  let pc: u32 = load<u32>(s, ST_PC);
  let fuel: u64 = load<u64>(s, ST_FUEL);
  const limit: u64 = (<u64>memory.size() << 16) - FIRST_VADDR;
  let watch: bool = false;
  let steps: u32 = 0;
  let pass: bool = false;
  if (sizeof<T>() > 1) {
    watch = load<u32>(s, ST_WATCH) != 0;
    steps = load<u32>(s, ST_STEPS);
    pass = load<u32>(s, ST_PASS) != 0;
  }
  while (true) {
    if (sizeof<T>() > 1) {
      const slot = (pc - load<u32>(s, ST_INSNS)) >> 3;
      const breaks = load<u32>(s, ST_BREAKS);
      // for on_access, which wants to know where
      store<u32>(s, pc, ST_PC);
      if (!pass && breaks != 0 && load<u8>(breaks + slot) != 0) return stop(s, pc, fuel, BREAK);
      if (steps == 0) return stop(s, pc, fuel, STEP);
      steps--;
      store<u32>(s, steps, ST_STEPS);
      pass = false;
      const hits = load<u32>(s, ST_HITS);
      if (hits != 0) store<u32>(hits + (slot << 2), load<u32>(hits + (slot << 2)) + 1);
    }
    const word = load<u64>(pc);
    const d: u32 = s + ((<u32>(word >> 8) & 15) << 3);
    const x: u32 = s + ((<u32>(word >> 12) & 15) << 3);
    const off: i32 = <i32>(<i16>(word >> 16));
    const imm: i64 = <i64>word >> 32;
    let skip: i32 = 0;
    switch (<u32>word & 0xff) {
      // ALU64 and ALU: imm, then src register
      case 0x07: store<u64>(d, load<u64>(d) + <u64>imm); break; // add
      case 0x0f: store<u64>(d, load<u64>(d) + load<u64>(x)); break;
      case 0x04: store<u64>(d, <u64><u32>(load<u32>(d) + <u32>imm)); break;
      case 0x0c: store<u64>(d, <u64><u32>(load<u32>(d) + load<u32>(x))); break;
      case 0x17: store<u64>(d, load<u64>(d) - <u64>imm); break; // sub
      case 0x1f: store<u64>(d, load<u64>(d) - load<u64>(x)); break;
      case 0x14: store<u64>(d, <u64><u32>(load<u32>(d) - <u32>imm)); break;
      case 0x1c: store<u64>(d, <u64><u32>(load<u32>(d) - load<u32>(x))); break;
      case 0x27: store<u64>(d, load<u64>(d) * <u64>imm); break; // mul
      case 0x2f: store<u64>(d, load<u64>(d) * load<u64>(x)); break;
      case 0x24: store<u64>(d, <u64><u32>(load<u32>(d) * <u32>imm)); break;
      case 0x2c: store<u64>(d, <u64><u32>(load<u32>(d) * load<u32>(x))); break;
      case 0x47: store<u64>(d, load<u64>(d) | <u64>imm); break; // or
      case 0x4f: store<u64>(d, load<u64>(d) | load<u64>(x)); break;
      case 0x44: store<u64>(d, <u64><u32>(load<u32>(d) | <u32>imm)); break;
      case 0x4c: store<u64>(d, <u64><u32>(load<u32>(d) | load<u32>(x))); break;
      case 0x57: store<u64>(d, load<u64>(d) & <u64>imm); break; // and
      case 0x5f: store<u64>(d, load<u64>(d) & load<u64>(x)); break;
      case 0x54: store<u64>(d, <u64><u32>(load<u32>(d) & <u32>imm)); break;
      case 0x5c: store<u64>(d, <u64><u32>(load<u32>(d) & load<u32>(x))); break;
      case 0xa7: store<u64>(d, load<u64>(d) ^ <u64>imm); break; // xor
      case 0xaf: store<u64>(d, load<u64>(d) ^ load<u64>(x)); break;
      case 0xa4: store<u64>(d, <u64><u32>(load<u32>(d) ^ <u32>imm)); break;
      case 0xac: store<u64>(d, <u64><u32>(load<u32>(d) ^ load<u32>(x))); break;
      case 0x37: store<u64>(d, <u64>div64(off, load<u64>(d), <u64>imm)); break; // div, sdiv
      case 0x3f: store<u64>(d, <u64>div64(off, load<u64>(d), load<u64>(x))); break;
      case 0x34: store<u64>(d, <u64>div32(off, load<u32>(d), <u32>imm)); break;
      case 0x3c: store<u64>(d, <u64>div32(off, load<u32>(d), load<u32>(x))); break;
      case 0x97: store<u64>(d, <u64>mod64(off, load<u64>(d), <u64>imm)); break; // mod, smod
      case 0x9f: store<u64>(d, <u64>mod64(off, load<u64>(d), load<u64>(x))); break;
      case 0x94: store<u64>(d, <u64>mod32(off, load<u32>(d), <u32>imm)); break;
      case 0x9c: store<u64>(d, <u64>mod32(off, load<u32>(d), load<u32>(x))); break;
      case 0x67: store<u64>(d, <u64>(load<u64>(d) << <u64>imm)); break; // lsh
      case 0x6f: store<u64>(d, <u64>(load<u64>(d) << load<u64>(x))); break;
      case 0x64: store<u64>(d, <u64><u32>(load<u32>(d) << <u32>imm)); break;
      case 0x6c: store<u64>(d, <u64><u32>(load<u32>(d) << load<u32>(x))); break;
      case 0x77: store<u64>(d, <u64>(load<u64>(d) >> <u64>imm)); break; // rsh
      case 0x7f: store<u64>(d, <u64>(load<u64>(d) >> load<u64>(x))); break;
      case 0x74: store<u64>(d, <u64><u32>(load<u32>(d) >> <u32>imm)); break;
      case 0x7c: store<u64>(d, <u64><u32>(load<u32>(d) >> load<u32>(x))); break;
      case 0xc7: store<u64>(d, <u64>(load<i64>(d) >> <i64>imm)); break; // arsh
      case 0xcf: store<u64>(d, <u64>(load<i64>(d) >> load<i64>(x))); break;
      case 0xc4: store<u64>(d, <u64><u32>(load<i32>(d) >> <i32>imm)); break;
      case 0xcc: store<u64>(d, <u64><u32>(load<i32>(d) >> load<i32>(x))); break;
      case 0x87: store<u64>(d, 0 - load<u64>(d)); break; // neg
      case 0x84: store<u64>(d, <u64><u32>(0 - load<u32>(d))); break;
      case 0xb7: store<i64>(d, imm); break; // mov
      case 0xb4: store<u64>(d, <u64><u32>imm); break;
      case 0xbf: store<u64>(d, mov64(off, x)); break; // mov, movsx, addr_space_cast
      case 0xbc: store<u64>(d, <u64>mov32(off, x)); break;
      case 0xd4: store<u64>(d, truncate(<u32>imm, load<u64>(d))); break; // le
      case 0xdc: store<u64>(d, swap(<u32>imm, load<u64>(d))); break; // be
      case 0xd7: store<u64>(d, swap(<u32>imm, load<u64>(d))); break; // bswap
      case 0x18: store<u64>(d, <u64><u32>imm | (<u64>load<u32>(pc, 12) << 32)); pc += 8; break; // ld_imm64
      // Jumps: imm, then src register
      case 0x15: if (load<u64>(d) == <u64>imm) skip = off; break; // jeq
      case 0x1d: if (load<u64>(d) == load<u64>(x)) skip = off; break;
      case 0x16: if (load<u32>(d) == <u32>imm) skip = off; break;
      case 0x1e: if (load<u32>(d) == load<u32>(x)) skip = off; break;
      case 0x25: if (load<u64>(d) > <u64>imm) skip = off; break; // jgt
      case 0x2d: if (load<u64>(d) > load<u64>(x)) skip = off; break;
      case 0x26: if (load<u32>(d) > <u32>imm) skip = off; break;
      case 0x2e: if (load<u32>(d) > load<u32>(x)) skip = off; break;
      case 0x35: if (load<u64>(d) >= <u64>imm) skip = off; break; // jge
      case 0x3d: if (load<u64>(d) >= load<u64>(x)) skip = off; break;
      case 0x36: if (load<u32>(d) >= <u32>imm) skip = off; break;
      case 0x3e: if (load<u32>(d) >= load<u32>(x)) skip = off; break;
      case 0x45: if ((load<u64>(d) & <u64>imm) != 0) skip = off; break; // jset
      case 0x4d: if ((load<u64>(d) & load<u64>(x)) != 0) skip = off; break;
      case 0x46: if ((load<u32>(d) & <u32>imm) != 0) skip = off; break;
      case 0x4e: if ((load<u32>(d) & load<u32>(x)) != 0) skip = off; break;
      case 0x55: if (load<u64>(d) != <u64>imm) skip = off; break; // jne
      case 0x5d: if (load<u64>(d) != load<u64>(x)) skip = off; break;
      case 0x56: if (load<u32>(d) != <u32>imm) skip = off; break;
      case 0x5e: if (load<u32>(d) != load<u32>(x)) skip = off; break;
      case 0x65: if (load<i64>(d) > <i64>imm) skip = off; break; // jsgt
      case 0x6d: if (load<i64>(d) > load<i64>(x)) skip = off; break;
      case 0x66: if (load<i32>(d) > <i32>imm) skip = off; break;
      case 0x6e: if (load<i32>(d) > load<i32>(x)) skip = off; break;
      case 0x75: if (load<i64>(d) >= <i64>imm) skip = off; break; // jsge
      case 0x7d: if (load<i64>(d) >= load<i64>(x)) skip = off; break;
      case 0x76: if (load<i32>(d) >= <i32>imm) skip = off; break;
      case 0x7e: if (load<i32>(d) >= load<i32>(x)) skip = off; break;
      case 0xa5: if (load<u64>(d) < <u64>imm) skip = off; break; // jlt
      case 0xad: if (load<u64>(d) < load<u64>(x)) skip = off; break;
      case 0xa6: if (load<u32>(d) < <u32>imm) skip = off; break;
      case 0xae: if (load<u32>(d) < load<u32>(x)) skip = off; break;
      case 0xb5: if (load<u64>(d) <= <u64>imm) skip = off; break; // jle
      case 0xbd: if (load<u64>(d) <= load<u64>(x)) skip = off; break;
      case 0xb6: if (load<u32>(d) <= <u32>imm) skip = off; break;
      case 0xbe: if (load<u32>(d) <= load<u32>(x)) skip = off; break;
      case 0xc5: if (load<i64>(d) < <i64>imm) skip = off; break; // jslt
      case 0xcd: if (load<i64>(d) < load<i64>(x)) skip = off; break;
      case 0xc6: if (load<i32>(d) < <i32>imm) skip = off; break;
      case 0xce: if (load<i32>(d) < load<i32>(x)) skip = off; break;
      case 0xd5: if (load<i64>(d) <= <i64>imm) skip = off; break; // jsle
      case 0xdd: if (load<i64>(d) <= load<i64>(x)) skip = off; break;
      case 0xd6: if (load<i32>(d) <= <i32>imm) skip = off; break;
      case 0xde: if (load<i32>(d) <= load<i32>(x)) skip = off; break;
      case 0x05: skip = off; break; // ja
      case 0x06: skip = <i32>imm; break; // gotol
      case 0xe5: {
        // may_goto
        const left = load<u32>(s, ST_MAY_GOTO);
        if (left == 0) skip = off;
        else store<u32>(s, left - 1, ST_MAY_GOTO);
        break;
      }
      // Loads: plain, sign-extending, and those that Linux marks PROBE_MEM, which yield 0 where there is no memory
      case 0x71: {
        const a = load<u64>(x) + <i64>off;
        if (outside(a, 1, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 1, 0);
        store<u64>(d, <u64>load<u8>(<u32>a));
        break;
      }
      case 0x69: {
        const a = load<u64>(x) + <i64>off;
        if (outside(a, 2, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 2, 0);
        store<u64>(d, <u64>load<u16>(<u32>a));
        break;
      }
      case 0x61: {
        const a = load<u64>(x) + <i64>off;
        if (outside(a, 4, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 4, 0);
        store<u64>(d, <u64>load<u32>(<u32>a));
        break;
      }
      case 0x79: {
        const a = load<u64>(x) + <i64>off;
        if (outside(a, 8, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 8, 0);
        store<u64>(d, <u64>load<u64>(<u32>a));
        break;
      }
      case 0x91: {
        const a = load<u64>(x) + <i64>off;
        if (outside(a, 1, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 1, 0);
        store<i64>(d, <i64>load<i8>(<u32>a));
        break;
      }
      case 0x89: {
        const a = load<u64>(x) + <i64>off;
        if (outside(a, 2, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 2, 0);
        store<i64>(d, <i64>load<i16>(<u32>a));
        break;
      }
      case 0x81: {
        const a = load<u64>(x) + <i64>off;
        if (outside(a, 4, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 4, 0);
        store<i64>(d, <i64>load<i32>(<u32>a));
        break;
      }
      case 0x31: {
        const a = load<u64>(x) + <i64>off;
        store<u64>(d, outside(a, 1, limit) ? 0 : <u64>load<u8>(<u32>a));
        break;
      }
      case 0x29: {
        const a = load<u64>(x) + <i64>off;
        store<u64>(d, outside(a, 2, limit) ? 0 : <u64>load<u16>(<u32>a));
        break;
      }
      case 0x21: {
        const a = load<u64>(x) + <i64>off;
        store<u64>(d, outside(a, 4, limit) ? 0 : <u64>load<u32>(<u32>a));
        break;
      }
      case 0x39: {
        const a = load<u64>(x) + <i64>off;
        store<u64>(d, outside(a, 8, limit) ? 0 : <u64>load<u64>(<u32>a));
        break;
      }
      case 0x51: {
        const a = load<u64>(x) + <i64>off;
        store<i64>(d, outside(a, 1, limit) ? 0 : <i64>load<i8>(<u32>a));
        break;
      }
      case 0x49: {
        const a = load<u64>(x) + <i64>off;
        store<i64>(d, outside(a, 2, limit) ? 0 : <i64>load<i16>(<u32>a));
        break;
      }
      case 0x41: {
        const a = load<u64>(x) + <i64>off;
        store<i64>(d, outside(a, 4, limit) ? 0 : <i64>load<i32>(<u32>a));
        break;
      }
      // Stores: imm, then src register
      case 0x72: {
        const a = load<u64>(d) + <i64>off;
        if (outside(a, 1, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 1, 1);
        store<u8>(<u32>a, <u8>imm);
        break;
      }
      case 0x6a: {
        const a = load<u64>(d) + <i64>off;
        if (outside(a, 2, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 2, 1);
        store<u16>(<u32>a, <u16>imm);
        break;
      }
      case 0x62: {
        const a = load<u64>(d) + <i64>off;
        if (outside(a, 4, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 4, 1);
        store<u32>(<u32>a, <u32>imm);
        break;
      }
      case 0x7a: {
        const a = load<u64>(d) + <i64>off;
        if (outside(a, 8, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 8, 1);
        store<u64>(<u32>a, <u64>imm);
        break;
      }
      case 0x73: {
        const a = load<u64>(d) + <i64>off;
        if (outside(a, 1, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 1, 1);
        store<u8>(<u32>a, load<u8>(x));
        break;
      }
      case 0x6b: {
        const a = load<u64>(d) + <i64>off;
        if (outside(a, 2, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 2, 1);
        store<u16>(<u32>a, load<u16>(x));
        break;
      }
      case 0x63: {
        const a = load<u64>(d) + <i64>off;
        if (outside(a, 4, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 4, 1);
        store<u32>(<u32>a, load<u32>(x));
        break;
      }
      case 0x7b: {
        const a = load<u64>(d) + <i64>off;
        if (outside(a, 8, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 8, 1);
        store<u64>(<u32>a, load<u64>(x));
        break;
      }
      // Atomics: one CPU runs, so plain loads and stores do
      case 0xd3: {
        // load_acquire addresses by src, the others by dst
        const acquire = <u32>imm == LOAD_ACQ;
        const a = load<u64>(acquire ? x : d) + <i64>off;
        if (outside(a, 1, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 1, acquire ? 0 : 1);
        if (acquire) store<u64>(d, <u64>load<u8>(<u32>a));
        else atomic<u8>(s, <u32>a, <u32>imm, x);
        break;
      }
      case 0xcb: {
        // load_acquire addresses by src, the others by dst
        const acquire = <u32>imm == LOAD_ACQ;
        const a = load<u64>(acquire ? x : d) + <i64>off;
        if (outside(a, 2, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 2, acquire ? 0 : 1);
        if (acquire) store<u64>(d, <u64>load<u16>(<u32>a));
        else atomic<u16>(s, <u32>a, <u32>imm, x);
        break;
      }
      case 0xc3: {
        // load_acquire addresses by src, the others by dst
        const acquire = <u32>imm == LOAD_ACQ;
        const a = load<u64>(acquire ? x : d) + <i64>off;
        if (outside(a, 4, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 4, acquire ? 0 : 1);
        if (acquire) store<u64>(d, <u64>load<u32>(<u32>a));
        else atomic<u32>(s, <u32>a, <u32>imm, x);
        break;
      }
      case 0xdb: {
        // load_acquire addresses by src, the others by dst
        const acquire = <u32>imm == LOAD_ACQ;
        const a = load<u64>(acquire ? x : d) + <i64>off;
        if (outside(a, 8, limit)) return fault(s, pc, fuel, a);
        if (sizeof<T>() > 1 && watch) on_access(<u32>a, 8, acquire ? 0 : 1);
        if (acquire) store<u64>(d, <u64>load<u64>(<u32>a));
        else atomic<u64>(s, <u32>a, <u32>imm, x);
        break;
      }
      // Legacy packet loads, done by the driver
      case 0x30: return leave(s, pc + 8, fuel, PACKET, <u64><u32>imm);
      case 0x28: return leave(s, pc + 8, fuel, PACKET, <u64><u32>imm);
      case 0x20: return leave(s, pc + 8, fuel, PACKET, <u64><u32>imm);
      case 0x50: return leave(s, pc + 8, fuel, PACKET, <u64><u32>(load<u32>(x) + <u32>imm));
      case 0x48: return leave(s, pc + 8, fuel, PACKET, <u64><u32>(load<u32>(x) + <u32>imm));
      case 0x40: return leave(s, pc + 8, fuel, PACKET, <u64><u32>(load<u32>(x) + <u32>imm));
      // Calls
      case 0x85: {
        if (fuel == 0) return stop(s, pc, fuel, NO_FUEL);
        fuel--;
        // kinds: src 0 helper, 1 bpf-to-bpf, 2 kfunc
        if (((word >> 12) & 15) != 1) {
          return leave(s, pc + 8, fuel, HELPER, 0);
        }
        const why = enter(s, pc + 8, pc + 8 + (<u32>imm << 3));
        if (why == PATCHED) return leave(s, pc + 8, fuel, PATCHED, <u64>(pc + 8 + (<u32>imm << 3)));
        if (why != EXIT) return stop(s, pc, fuel, why);
        pc += <u32>imm << 3;
        break;
      }
      case 0x8d:
        return leave(s, pc + 8, fuel, HELPER, 0);
      case 0x95: {
        const back = interp_return(s);
        if (back == 0) return leave(s, pc, fuel, EXIT, 0);
        pc = back - 8;
        break;
      }      default:
        return stop(s, pc, fuel, BAD_INSN);
    }
    if (skip < 0) {
      if (fuel == 0) return stop(s, pc, fuel, NO_FUEL);
      fuel--;
    }
    pc += 8 + (<u32>skip << 3);
  }
}

// @ts-ignore: decorator
@inline
function outside(addr: u64, size: u64, limit: u64): bool {
  return addr - FIRST_VADDR > limit - size;
}

function stop(s: u32, pc: u32, fuel: u64, why: u32): u32 {
  store<u64>(s, fuel, ST_FUEL);
  store<u32>(s, pc, ST_PC);
  return why;
}

function leave(s: u32, pc: u32, fuel: u64, why: u32, arg: u64): u32 {
  store<u64>(s, fuel, ST_FUEL);
  store<u32>(s, pc, ST_PC);
  store<u64>(s, arg, ST_FAULT_ADDR);
  return why;
}

function fault(s: u32, pc: u32, fuel: u64, addr: u64): u32 {
  return leave(s, pc, fuel, BAD_ACCESS, addr);
}

/** Pushes the caller's frame and gives the function at `target` its own. EXIT (0) when that went well; PATCHED: nothing done. */
function enter(s: u32, back: u32, target: u32): u32 {
  const slot = (target - load<u32>(s, ST_INSNS)) >> 3;
  const own = <u32>load<u16>(load<u32>(s, ST_DEPTHS) + (slot << 1));
  if (own & DEPTH_PATCHED) return PATCHED;
  const n = load<u32>(s, ST_FRAMES);
  if (n == MAX_FRAMES) return TOO_DEEP;
  const depth = load<u32>(s, ST_DEPTH);
  const fp = load<u32>(s, 80) - depth;
  const need = (own + 15) & ~15;
  if (fp - need < load<u32>(s, ST_STACK_LIMIT)) return NO_STACK;
  const f = s + <u32>ST_FRAME + n * FR_SIZE;
  // r1 .. r5 too, and the rest starts as 0: what an unverified program sees of them is then the same on every engine
  memory.copy(f, s + 8, 80);
  store<u64>(s, 0);
  memory.fill(s + 48, 0, 32);
  store<u32>(f, back, FR_PC);
  store<u32>(f, depth, FR_DEPTH);
  store<u32>(f, load<u32>(s, ST_MAY_GOTO), FR_MAY_GOTO);
  store<u32>(s, n + 1, ST_FRAMES);
  store<u32>(s, need, ST_DEPTH);
  store<u32>(s, MAY_GOTO_MAX, ST_MAY_GOTO);
  store<u64>(s, <u64>fp, 80);
  return EXIT;
}

/** A call through a function pointer (callx): the driver has found the function; ST_PC is the return address. */
export function interp_call(s: u32, target: u32): u32 {
  const why = enter(s, load<u32>(s, ST_PC), target);
  if (why == EXIT) store<u32>(s, target, ST_PC);
  return why;
}

/** Pops a frame: the address to go on at, or 0 when there is none. The driver uses it for tail calls in subprograms. */
export function interp_return(s: u32): u32 {
  const n = load<u32>(s, ST_FRAMES);
  if (n == 0) return 0;
  const f = s + <u32>ST_FRAME + (n - 1) * FR_SIZE;
  memory.copy(s + 8, f, 80);
  store<u32>(s, load<u32>(f, FR_DEPTH), ST_DEPTH);
  store<u32>(s, load<u32>(f, FR_MAY_GOTO), ST_MAY_GOTO);
  store<u32>(s, n - 1, ST_FRAMES);
  const back = load<u32>(f, FR_PC);
  store<u32>(s, back, ST_PC);
  return back;
}

/** off 1 is the signed form. Division by 0 gives 0; the most negative number by -1 gives itself. */
function div64(off: i32, a: u64, b: u64): u64 {
  if (b == 0) return 0;
  if (off == 0) return a / b;
  return <i64>b == -1 ? 0 - a : <u64>(<i64>a / <i64>b);
}

function div32(off: i32, a: u32, b: u32): u32 {
  if (b == 0) return 0;
  if (off == 0) return a / b;
  return <i32>b == -1 ? 0 - a : <u32>(<i32>a / <i32>b);
}

/** Remainder by 0 leaves the dividend. */
function mod64(off: i32, a: u64, b: u64): u64 {
  if (b == 0) return a;
  if (off == 0) return a % b;
  return <i64>b == -1 ? 0 : <u64>(<i64>a % <i64>b);
}

function mod32(off: i32, a: u32, b: u32): u32 {
  if (b == 0) return a;
  if (off == 0) return a % b;
  return <i32>b == -1 ? 0 : <u32>(<i32>a % <i32>b);
}

/** off 8, 16, 32: sign-extended from there. An address space cast (off 1) keeps the low half: there is one memory. */
// @ts-ignore: decorator
@inline
function mov64(off: i32, x: u32): u64 {
  if (off == 0) return load<u64>(x);
  if (off == 8) return <u64><i64>load<i8>(x);
  if (off == 16) return <u64><i64>load<i16>(x);
  if (off == 32) return <u64><i64>load<i32>(x);
  return <u64>load<u32>(x);
}

// @ts-ignore: decorator
@inline
function mov32(off: i32, x: u32): u32 {
  if (off == 8) return <u32><i32>load<i8>(x);
  if (off == 16) return <u32><i32>load<i16>(x);
  return load<u32>(x);
}

function truncate(bits: u32, v: u64): u64 {
  return bits == 16 ? v & 0xffff : bits == 32 ? v & 0xffffffff : v;
}

function swap(bits: u32, v: u64): u64 {
  return bits == 16 ? <u64>bswap<u16>(<u16>v) : bits == 32 ? <u64>bswap<u32>(<u32>v) : bswap<u64>(v);
}

/** x: address of src's register, which a fetching form overwrites with the old value (cmpxchg: r0). */
function atomic<W>(s: u32, a: u32, op: u32, x: u32): void {
  const v = load<W>(x);
  if (op == STORE_REL) {
    store<W>(a, v);
    return;
  }
  const old = load<W>(a);
  if (op == 0xf1) {
    if (old == load<W>(s)) store<W>(a, v);
    store<u64>(s, <u64>old);
    return;
  }
  let r = v; // xchg
  const kind = op & 0xf0;
  if (kind == 0x00) r = <W>(old + v);
  else if (kind == 0x40) r = <W>(old | v);
  else if (kind == 0x50) r = <W>(old & v);
  else if (kind == 0xa0) r = <W>(old ^ v);
  store<W>(a, r);
  if (op & 1) store<u64>(x, <u64>old);
}
