/**
 * Infrared decoders.
 *
 * Source   drivers/media/rc/bpf-lirc.c.
 */
import { BPF_FUNC_rc_keydown, BPF_FUNC_rc_pointer_rel, BPF_FUNC_rc_repeat } from "../abi/bpf.ts";
import { EOPNOTSUPP } from "../abi/errno.ts";
import type { Helper } from "./helper.ts";
import { ARG_ANYTHING, ARG_PTR_TO_CTX, RET_INTEGER } from "./types.ts";

export const rc_repeat: Helper = {
  id: BPF_FUNC_rc_repeat,
  name: "rc_repeat",
  proto: { args: [ARG_PTR_TO_CTX], ret: RET_INTEGER, gplOnly: true },
  abi: "p:i",
  unsupported: { errno: EOPNOTSUPP, reason: "infrared devices are not modelled" },
};

export const rc_keydown: Helper = {
  id: BPF_FUNC_rc_keydown,
  name: "rc_keydown",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppqp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "infrared devices are not modelled" },
};

export const rc_pointer_rel: Helper = {
  id: BPF_FUNC_rc_pointer_rel,
  name: "rc_pointer_rel",
  proto: { args: [ARG_PTR_TO_CTX, ARG_ANYTHING, ARG_ANYTHING], ret: RET_INTEGER, gplOnly: true },
  abi: "ppp:i",
  unsupported: { errno: EOPNOTSUPP, reason: "infrared devices are not modelled" },
};
