/** What a register becomes when a pointer to a kernel or allocated struct is loaded into it: mark_btf_ld_reg(). */
import type { Btf } from "../btf/btf.ts";
import { PTR_MAYBE_NULL } from "../helpers/types.ts";
import type { VerifierEnv } from "./env.ts";
import { PTR_TO_BTF_ID, SCALAR_VALUE } from "./reg_type.ts";
import { markRegKnownZero, markRegUnknown } from "./regs.ts";

/** @param type SCALAR_VALUE or PTR_TO_BTF_ID */
export function markBtfLoad(
  env: VerifierEnv,
  regno: number,
  type: number,
  btf: Btf,
  btfId: number,
  flags: number,
): void {
  const R = env.R;
  const r = env.reg(regno);
  if (type === SCALAR_VALUE) {
    markRegUnknown(env, r);
    return;
  }
  markRegKnownZero(env, r);
  R.setType(r, PTR_TO_BTF_ID | flags);
  R.setBtf(r, env.btfIndex(btf), btfId);
  if (flags & PTR_MAYBE_NULL) R.setId(r, ++env.idGen);
}
