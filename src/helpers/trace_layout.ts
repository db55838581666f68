/**
 * What lies in front of the context of every tracing program, at negative offsets from it: what Linux keeps in
 * bpf_trace_run_ctx and on the trampoline's stack.
 */
export const TRACE_CTX = {
  /** u64 number of arguments. */
  argCount: -8,
  /** u64 attach cookie. */
  cookie: -16,
  /** u64: a result lies behind the arguments. */
  hasResult: -24,
  /** u64 address of the traced function; 0 where there is none. */
  funcIp: -32,
} as const;

/** Bytes in front of the context. */
export const TRACE_CTX_HEAD = 32;
