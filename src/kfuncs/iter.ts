/**
 * Open-coded iterators.
 *
 * Source   kernel/bpf/bpf_iter.c, kernel/bpf/task_iter.c.
 */
import {
  KF_ITER_DESTROY,
  KF_ITER_NEW,
  KF_ITER_NEXT,
  KF_RCU,
  KF_RCU_PROTECTED,
  KF_RET_NULL,
  KF_SLEEPABLE,
  KF_TRUSTED_ARGS,
  type Kfunc,
  kfuncsOf,
} from "./kfunc.ts";

export const ITER_KFUNCS: readonly Kfunc[] = [
  ...kfuncsOf({
    hooks: ["common"],
    funcs: {
      bpf_iter_num_new: KF_ITER_NEW,
      bpf_iter_num_next: KF_ITER_NEXT | KF_RET_NULL,
      bpf_iter_num_destroy: KF_ITER_DESTROY,
      bpf_iter_bits_new: KF_ITER_NEW,
      bpf_iter_bits_next: KF_ITER_NEXT | KF_RET_NULL,
      bpf_iter_bits_destroy: KF_ITER_DESTROY,
      bpf_iter_task_vma_new: KF_ITER_NEW | KF_RCU,
      bpf_iter_task_vma_next: KF_ITER_NEXT | KF_RET_NULL,
      bpf_iter_task_vma_destroy: KF_ITER_DESTROY,
      bpf_iter_css_task_new: KF_ITER_NEW | KF_TRUSTED_ARGS,
      bpf_iter_css_task_next: KF_ITER_NEXT | KF_RET_NULL,
      bpf_iter_css_task_destroy: KF_ITER_DESTROY,
      bpf_iter_css_new: KF_ITER_NEW | KF_TRUSTED_ARGS | KF_RCU_PROTECTED,
      bpf_iter_css_next: KF_ITER_NEXT | KF_RET_NULL,
      bpf_iter_css_destroy: KF_ITER_DESTROY,
      bpf_iter_task_new: KF_ITER_NEW | KF_TRUSTED_ARGS | KF_RCU_PROTECTED,
      bpf_iter_task_next: KF_ITER_NEXT | KF_RET_NULL,
      bpf_iter_task_destroy: KF_ITER_DESTROY,
      bpf_iter_kmem_cache_new: KF_ITER_NEW | KF_SLEEPABLE,
      bpf_iter_kmem_cache_next: KF_ITER_NEXT | KF_RET_NULL | KF_SLEEPABLE,
      bpf_iter_kmem_cache_destroy: KF_ITER_DESTROY | KF_SLEEPABLE,
      bpf_iter_dmabuf_new: KF_ITER_NEW | KF_SLEEPABLE,
      bpf_iter_dmabuf_next: KF_ITER_NEXT | KF_RET_NULL | KF_SLEEPABLE,
      bpf_iter_dmabuf_destroy: KF_ITER_DESTROY | KF_SLEEPABLE,
      bpf_get_kmem_cache: KF_RET_NULL,
    },
  }),
];
