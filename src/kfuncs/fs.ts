/**
 * Files, dentries and keys.
 *
 * Source   fs/bpf_fs_kfuncs.c, kernel/trace/bpf_trace.c.
 */
import { BPF_PROG_TYPE_LSM } from "../abi/bpf.ts";
import { KF_ACQUIRE, KF_RELEASE, KF_RET_NULL, KF_SLEEPABLE, KF_TRUSTED_ARGS, type Kfunc, kfuncsOf } from "./kfunc.ts";

export const FS_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["tracing"],
    progTypes: [BPF_PROG_TYPE_LSM],
    funcs: {
      bpf_get_task_exe_file: KF_ACQUIRE | KF_TRUSTED_ARGS | KF_RET_NULL,
      bpf_put_file: KF_RELEASE,
      bpf_path_d_path: KF_TRUSTED_ARGS,
      bpf_get_dentry_xattr: KF_SLEEPABLE | KF_TRUSTED_ARGS,
      bpf_get_file_xattr: KF_SLEEPABLE | KF_TRUSTED_ARGS,
      bpf_set_dentry_xattr: KF_SLEEPABLE | KF_TRUSTED_ARGS,
      bpf_remove_dentry_xattr: KF_SLEEPABLE | KF_TRUSTED_ARGS,
    },
  }),
  ...kfuncsOf({
    hooks: ["tracing"],
    funcs: {
      bpf_lookup_user_key: KF_ACQUIRE | KF_RET_NULL | KF_SLEEPABLE,
      bpf_lookup_system_key: KF_ACQUIRE | KF_RET_NULL,
      bpf_key_put: KF_RELEASE,
      bpf_verify_pkcs7_signature: KF_SLEEPABLE,
    },
  }),
];
