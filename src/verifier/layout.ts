/**
 * Where things are in the verifier module's linear memory. Mirrored by assembly/verifier/layout.ts.
 *
 * Register record, 112 bytes, little-endian. The first 24 bytes are what pointer comparison compares (regsafe):
 *
 *     0 u32 type | 4 i32 off | 8 u32 u0 | 12 u32 u1 | 16 u32 u2 | 20 u32 u3
 *    24 u64 tnum value | 32 u64 tnum mask | 40 s64 smin | 48 s64 smax | 56 u64 umin | 64 u64 umax
 *    72 s32 min | 76 s32 max | 80 u32 min | 84 u32 max
 *    88 u32 id | 92 u32 ref_obj_id | 96 u32 frameno | 100 u32 precise | 104 u32 subreg_def | 108 u32 0
 *
 * u0..u3 by type:
 *    map_ptr, map_value, map_key   u0 map index (env.mapAt), u1 map_uid
 *    ptr_ (PTR_TO_BTF_ID)          u0 BTF index (env.btfAt), u1 type id
 *    mem                           u0 mem_size, u1 dynptr_id
 *    pkt, pkt_meta, pkt_end        u0 range (signed: AT_PKT_END -1, BEYOND_PKT_END -2)
 *    func                          u0 subprogno
 *    dynptr_ptr, dynptr slot       u0 BPF_DYNPTR_TYPE_*, u1 first_slot
 *    iter slot                     u0 BTF index, u1 type id, u2 state, u3 depth
 *    irq flag slot                 u0 class
 *
 * Stack slot, 120 bytes: a register record (what was spilled), then 8 slot-type bytes (byte 7 is the lowest address,
 * as in slot_type[]). Slot i covers fp-8*(i+1) .. fp-8*i-1.
 *
 * Frame: header of 64 bytes, 11 registers, then `capacity` stack slots.
 */
export const R_TYPE = 0;
export const R_OFF = 4;
export const R_U0 = 8;
export const R_U1 = 12;
export const R_U2 = 16;
export const R_U3 = 20;
export const R_VALUE = 24;
export const R_MASK = 32;
export const R_SMIN = 40;
export const R_SMAX = 48;
export const R_UMIN = 56;
export const R_UMAX = 64;
export const R_S32_MIN = 72;
export const R_S32_MAX = 76;
export const R_U32_MIN = 80;
export const R_U32_MAX = 84;
export const R_ID = 88;
export const R_REF_OBJ_ID = 92;
export const R_FRAMENO = 96;
export const R_PRECISE = 100;
export const R_SUBREG_DEF = 104;
export const REG_SIZE = 112;

export const SLOT_TYPES = 112;
export const SLOT_SIZE = 120;

export const F_CALLSITE = 0;
export const F_FRAMENO = 4;
export const F_SUBPROGNO = 8;
export const F_ASYNC_ENTRY_CNT = 12;
export const F_RET_MIN = 16;
export const F_RET_MAX = 20;
export const F_IN_CALLBACK = 24;
export const F_IN_ASYNC_CALLBACK = 28;
export const F_IN_EXCEPTION_CALLBACK = 32;
export const F_CALLBACK_DEPTH = 36;
/** Slots in use (allocated_stack / 8). */
export const F_STACK_SLOTS = 40;
/** Slots there is room for. */
export const F_CAPACITY = 44;
/** The callback's return value must lie in F_RET_MIN..F_RET_MAX. */
export const F_HAS_RET_RANGE = 48;
export const F_REGS = 64;
export const F_STACK = F_REGS + 11 * REG_SIZE;

export const MAX_BPF_REG = 11;
export const MAX_STACK_SLOTS = 64;
export const MAX_BPF_STACK = 512;
export const BPF_REG_SIZE = 8;
export const MAX_CALL_FRAMES = 8;
/** In a scalar's id: the register is `the register with the bare id + off`, in 64 bits or (zero-extended) in 32. */
export const BPF_ADD_CONST64 = 0x80000000;
export const BPF_ADD_CONST32 = 0x40000000;
export const BPF_ADD_CONST = 0xc0000000;
