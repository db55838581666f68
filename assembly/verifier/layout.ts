// Offsets of the verifier's records; the mirror of src/verifier/layout.ts, which explains them.

export const R_TYPE: u32 = 0;
export const R_OFF: u32 = 4;
export const R_U0: u32 = 8;
export const R_VALUE: u32 = 24;
export const R_MASK: u32 = 32;
export const R_SMIN: u32 = 40;
export const R_SMAX: u32 = 48;
export const R_UMIN: u32 = 56;
export const R_UMAX: u32 = 64;
export const R_S32_MIN: u32 = 72;
export const R_S32_MAX: u32 = 76;
export const R_U32_MIN: u32 = 80;
export const R_U32_MAX: u32 = 84;
export const R_ID: u32 = 88;
export const R_REF_OBJ_ID: u32 = 92;
export const R_FRAMENO: u32 = 96;
export const R_PRECISE: u32 = 100;
export const REG_SIZE: u32 = 112;

export const SLOT_TYPES: u32 = 112;
export const SLOT_SIZE: u32 = 120;

export const F_STACK_SLOTS: u32 = 40;
export const F_CAPACITY: u32 = 44;
export const F_REGS: u32 = 64;
export const F_STACK: u32 = 64 + 11 * 112;

export const NOT_INIT: u32 = 0;
export const SCALAR_VALUE: u32 = 1;

// @ts-ignore: decorator
@inline export function umin(r: u32): u64 { return load<u64>(r, 56); }
// @ts-ignore: decorator
@inline export function umax(r: u32): u64 { return load<u64>(r, 64); }
// @ts-ignore: decorator
@inline export function smin(r: u32): i64 { return load<i64>(r, 40); }
// @ts-ignore: decorator
@inline export function smax(r: u32): i64 { return load<i64>(r, 48); }
// @ts-ignore: decorator
@inline export function s32min(r: u32): i32 { return load<i32>(r, 72); }
// @ts-ignore: decorator
@inline export function s32max(r: u32): i32 { return load<i32>(r, 76); }
// @ts-ignore: decorator
@inline export function u32min(r: u32): u32 { return load<u32>(r, 80); }
// @ts-ignore: decorator
@inline export function u32max(r: u32): u32 { return load<u32>(r, 84); }
// @ts-ignore: decorator
@inline export function value(r: u32): u64 { return load<u64>(r, 24); }
// @ts-ignore: decorator
@inline export function mask(r: u32): u64 { return load<u64>(r, 32); }

// @ts-ignore: decorator
@inline export function setU64Range(r: u32, lo: u64, hi: u64): void { store<u64>(r, lo, 56); store<u64>(r, hi, 64); }
// @ts-ignore: decorator
@inline export function setS64Range(r: u32, lo: i64, hi: i64): void { store<i64>(r, lo, 40); store<i64>(r, hi, 48); }
// @ts-ignore: decorator
@inline export function setU32Range(r: u32, lo: u32, hi: u32): void { store<u32>(r, lo, 80); store<u32>(r, hi, 84); }
// @ts-ignore: decorator
@inline export function setS32Range(r: u32, lo: i32, hi: i32): void { store<i32>(r, lo, 72); store<i32>(r, hi, 76); }
// @ts-ignore: decorator
@inline export function setTnum(r: u32, v: u64, m: u64): void { store<u64>(r, v, 24); store<u64>(r, m, 32); }
