/**
 * Encryption.
 *
 * Source   kernel/bpf/crypto.c.
 */
import { KF_ACQUIRE, KF_RCU, KF_RELEASE, KF_RET_NULL, KF_SLEEPABLE, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const CRYPTO_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["syscall"],
    funcs: {
      bpf_crypto_ctx_create: KF_ACQUIRE | KF_RET_NULL | KF_SLEEPABLE,
      bpf_crypto_ctx_release: KF_RELEASE,
      bpf_crypto_ctx_acquire: KF_ACQUIRE | KF_RCU | KF_RET_NULL,
    },
  }),
  ...kfuncsOf({
    hooks: ["tc", "sched_act", "xdp", "syscall"],
    funcs: {
      bpf_crypto_decrypt: KF_RCU,
      bpf_crypto_encrypt: KF_RCU,
    },
  }),
];
