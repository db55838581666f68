/**
 * Control flow before simulation: every jump inside its function, every instruction reachable, no loop for the
 * unprivileged; where states are worth keeping; loops (strongly connected components); post-order.
 *
 * Source   kernel/bpf/verifier.c: check_cfg, compute_postorder, compute_scc.
 */
import { BPF_FUNC_tail_call } from "../abi/bpf.ts";
import { E2BIG, EINVAL } from "../abi/errno.ts";
import { callFacts, isPseudoCall } from "./call_facts.ts";
import { CALLS_CALLBACK, FORCE_CHECKPOINT, JMP_POINT, JUMP_TARGET, PRUNE_POINT, type VerifierEnv } from "./env.ts";

const BPF_JMP = 5;
const BPF_JMP32 = 6;
const LD_IMM64 = 0x18;
const BPF_PSEUDO_FUNC = 4;
const EXIT = 0x95;
const CALL = 0x85;
const LD_ABS = 0x20;
const LD_IND = 0x40;
const JA = 0x05;
const GOTOL = 0x06;
/** may_goto. */
export const JCOND = 0xe5;

export function isLdImm64At(env: VerifierEnv, i: number): boolean {
  return env.insns.code[i] === LD_IMM64;
}

export function isMayGotoAt(env: VerifierEnv, i: number): boolean {
  return env.insns.code[i] === JCOND;
}

/** Instructions that may run after instruction i in its function; written to out, returns how many (0..2). */
export function successors(env: VerifierEnv, i: number, out: Int32Array): number {
  const { code, off, imm } = env.insns;
  const c = code[i];
  const cls = c & 7;
  if (c === LD_IMM64) {
    out[0] = i + 2;
    return 1;
  }
  if (cls !== BPF_JMP && cls !== BPF_JMP32) {
    out[0] = i + 1;
    return 1;
  }
  if (c === EXIT) return 0;
  if (c === CALL) {
    out[0] = i + 1;
    return 1;
  }
  if (c === JA || c === GOTOL) {
    out[0] = i + 1 + (c === JA ? off[i] : imm[i]);
    return 1;
  }
  out[0] = i + 1;
  out[1] = i + 1 + off[i];
  return 2;
}

// Values of the depth-first search's state per instruction.
const DISCOVERED = 0x10;
const EXPLORED = 0x20;
const FALLTHROUGH = 1;
const BRANCH = 2;

const DONE = 0;
const KEEP = 1;

interface Walk {
  readonly state: Int32Array;
  readonly stack: Int32Array;
  top: number;
}

function pushInsn(env: VerifierEnv, walk: Walk, t: number, w: number, edge: number): number {
  const { state } = walk;
  if (edge === FALLTHROUGH && state[t] >= (DISCOVERED | FALLTHROUGH)) return DONE;
  if (edge === BRANCH && state[t] >= (DISCOVERED | BRANCH)) return DONE;
  if (w < 0 || w >= env.insns.length) {
    env.verboseLine(t, `${t}: `);
    env.reject(EINVAL, `jump out of range from insn ${t} to ${w}`);
  }
  if (edge === BRANCH) env.insnFlags[w] |= PRUNE_POINT | JMP_POINT | JUMP_TARGET;
  if (state[w] === 0) {
    state[t] = DISCOVERED | edge;
    state[w] = DISCOVERED;
    if (walk.top >= env.insns.length) env.rejectSilently(E2BIG);
    walk.stack[walk.top++] = w;
    return KEEP;
  }
  if ((state[w] & 0xf0) === DISCOVERED) {
    if (env.bpfCapable) return DONE;
    env.verboseLine(t, `${t}: `);
    env.verboseLine(w, `${w}: `);
    env.reject(EINVAL, `back-edge from insn ${t} to ${w}`);
  }
  state[t] = DISCOVERED | edge;
  return DONE;
}

/** The facts of a callee hold for its caller. merge_callee_effects(). */
function mergeCalleeEffects(env: VerifierEnv, t: number, w: number): void {
  const caller = env.subprogs[env.subprogOf[t]];
  const callee = env.subprogs[env.subprogOf[w]];
  if (!callee) return;
  caller.changesPktData ||= callee.changesPktData;
  caller.mightSleep ||= callee.mightSleep;
}

function visitCall(env: VerifierEnv, walk: Walk, t: number, visitCallee: boolean): number {
  const size = isLdImm64At(env, t) ? 2 : 1;
  const ret = pushInsn(env, walk, t, t + size, FALLTHROUGH);
  if (ret) return ret;
  env.insnFlags[t + size] |= PRUNE_POINT | JMP_POINT;
  if (!visitCallee) return DONE;
  const w = t + env.insns.imm[t] + 1;
  env.insnFlags[t] |= PRUNE_POINT;
  mergeCalleeEffects(env, t, w);
  return pushInsn(env, walk, t, w, BRANCH);
}

function visitInsn(env: VerifierEnv, walk: Walk, t: number): number {
  const { code, src, off, imm } = env.insns;
  const c = code[t];
  const cls = c & 7;
  if (c === LD_IMM64) {
    if (src[t] === BPF_PSEUDO_FUNC) return visitCall(env, walk, t, true);
    return pushInsn(env, walk, t, t + 2, FALLTHROUGH);
  }
  if (cls !== BPF_JMP && cls !== BPF_JMP32) return pushInsn(env, walk, t, t + 1, FALLTHROUGH);
  const op = c & 0xf0;
  if (op === 0x90) return DONE;
  if (op === 0x80) {
    const facts = callFacts(env, t);
    if (facts) {
      if (facts.asyncCallback) env.insnFlags[t] |= PRUNE_POINT;
      if (facts.syncCallback) env.insnFlags[t] |= CALLS_CALLBACK | FORCE_CHECKPOINT | PRUNE_POINT | JMP_POINT;
      if (facts.iterNext) env.insnFlags[t] |= PRUNE_POINT | FORCE_CHECKPOINT;
      const subprog = env.subprogs[env.subprogOf[t]];
      if (facts.mightSleep) subprog.mightSleep = true;
      if (facts.changesPktData) subprog.changesPktData = true;
      if (facts.throws) subprog.mightThrow = true;
    }
    return visitCall(env, walk, t, isPseudoCall(env, t));
  }
  if (op === 0x00) {
    if (c & 8) env.rejectSilently(EINVAL);
    const w = t + 1 + (cls === BPF_JMP ? off[t] : imm[t]);
    const ret = pushInsn(env, walk, t, w, FALLTHROUGH);
    if (ret) return ret;
    env.insnFlags[w] |= PRUNE_POINT | JMP_POINT | JUMP_TARGET;
    return DONE;
  }
  env.insnFlags[t] |= PRUNE_POINT;
  if (c === JCOND) env.insnFlags[t] |= FORCE_CHECKPOINT;
  const ret = pushInsn(env, walk, t, t + 1, FALLTHROUGH);
  if (ret) return ret;
  return pushInsn(env, walk, t, t + 1 + off[t], BRANCH);
}

function explore(env: VerifierEnv, walk: Walk, start: number): void {
  walk.state[start] = DISCOVERED;
  walk.stack[0] = start;
  walk.top = 1;
  while (walk.top > 0) {
    const t = walk.stack[walk.top - 1];
    if (visitInsn(env, walk, t) === DONE) {
      walk.state[t] = EXPLORED;
      walk.top--;
    }
  }
}

/** Instructions that end their function or go on: tail calls and legacy packet loads. */
function mayLeave(env: VerifierEnv, i: number): boolean {
  const { code, src, imm } = env.insns;
  const mode = code[i] & 0xe0;
  if ((code[i] & 7) === 0) return mode === LD_ABS || mode === LD_IND;
  return code[i] === CALL && src[i] === 0 && imm[i] === BPF_FUNC_tail_call;
}

/** Fills env.succ (two per instruction, -1 = none) and env.preds (instructions before i: predStart[i] .. predStart[i+1]). */
export function computeEdges(env: VerifierEnv): void {
  const n = env.insns.length;
  const succ = new Int32Array(2 * n).fill(-1);
  const count = new Int32Array(n + 1);
  const out = new Int32Array(2);
  const exits = new Int32Array(env.subprogs.length).fill(-1);
  for (let i = 0; i < n; i++) if (env.insns.code[i] === EXIT) exits[env.subprogOf[i]] = i;
  for (let i = 0; i < n; i++) {
    let k = successors(env, i, out);
    if (mayLeave(env, i) && exits[env.subprogOf[i]] >= 0) out[k++] = exits[env.subprogOf[i]];
    for (let j = 0; j < k; j++) {
      // The slot behind a ld_imm64 is no instruction; it may seem to run off the end.
      if (out[j] >= n) continue;
      succ[2 * i + j] = out[j];
      count[out[j] + 1]++;
    }
    if (isLdImm64At(env, i)) i++;
  }
  for (let i = 0; i < n; i++) count[i + 1] += count[i];
  const preds = new Int32Array(count[n]);
  const at = count.slice();
  for (let i = 0; i < 2 * n; i++) if (succ[i] >= 0) preds[at[succ[i]]++] = i >> 1;
  env.succ = succ;
  env.preds = preds;
  env.predStart = count;
}

/** check_cfg(). @throws Reject EINVAL */
export function checkCfg(env: VerifierEnv): void {
  const n = env.insns.length;
  const walk: Walk = { state: new Int32Array(n), stack: new Int32Array(n), top: 0 };
  explore(env, walk, 0);
  if (env.exceptionCallbackSubprog) explore(env, walk, env.subprogs[env.exceptionCallbackSubprog].start);
  for (let i = 0; i < n; i++) {
    if (walk.state[i] !== EXPLORED) env.reject(EINVAL, `unreachable insn ${i}`);
    if (isLdImm64At(env, i)) {
      if (walk.state[i + 1] !== 0) env.reject(EINVAL, `jump into the middle of ldimm64 insn ${i}`);
      i++;
    }
  }
}

/** compute_postorder(): per subprogram, each instruction after all those that only it leads to. */
export function computePostorder(env: VerifierEnv): void {
  const n = env.insns.length;
  const order = new Int32Array(n);
  const starts = new Int32Array(env.subprogs.length + 1);
  const state = new Uint8Array(n);
  const stack = new Int32Array(n);
  const succ = new Int32Array(2);
  let at = 0;
  env.subprogs.forEach((subprog, s) => {
    starts[s] = at;
    let top = 0;
    stack[top++] = subprog.start;
    do {
      const t = stack[top - 1];
      if (state[t] & DISCOVERED) {
        order[at++] = t;
        state[t] |= EXPLORED;
        top--;
        continue;
      }
      state[t] |= DISCOVERED;
      const k = successors(env, t, succ);
      for (let i = 0; i < k; i++) {
        const w = succ[i];
        if (!state[w]) {
          state[w] = 1;
          stack[top++] = w;
        }
      }
    } while (top > 0);
  });
  starts[env.subprogs.length] = at;
  env.postorder = order.subarray(0, at);
  env.postorderStart = starts;
}

/** compute_scc(): numbers of loops, 0 for instructions outside of any. Tarjan's algorithm without recursion. */
export function computeScc(env: VerifierEnv): void {
  const n = env.insns.length;
  const NOT_ON_STACK = 0x7fffffff;
  const pre = new Int32Array(n);
  const low = new Int32Array(n);
  const stack = new Int32Array(n);
  const dfs = new Int32Array(n);
  const succ = new Int32Array(2);
  let next = 1;
  let nextScc = 1;
  for (let i = 0; i < n; i++) {
    if (pre[i] || (i > 0 && isLdImm64At(env, i - 1) && env.insns.code[i] === 0)) continue;
    let stackSize = 0;
    let dfsSize = 1;
    dfs[0] = i;
    while (dfsSize > 0) {
      const w = dfs[dfsSize - 1];
      if (pre[w] === 0) {
        low[w] = next;
        pre[w] = next;
        next++;
        stack[stackSize++] = w;
      }
      const k = successors(env, w, succ);
      let descend = false;
      for (let j = 0; j < k; j++) {
        if (pre[succ[j]]) {
          if (low[succ[j]] < low[w]) low[w] = low[succ[j]];
        } else {
          dfs[dfsSize++] = succ[j];
          descend = true;
          break;
        }
      }
      if (descend) continue;
      // Roots own their number: everything above them on the stack is their component.
      if (low[w] < pre[w]) {
        dfsSize--;
        continue;
      }
      let assign = stack[stackSize - 1] !== w;
      for (let j = 0; j < k; j++) if (succ[j] === w) assign = true;
      let t: number;
      do {
        t = stack[--stackSize];
        low[t] = NOT_ON_STACK;
        if (assign) env.scc[t] = nextScc;
      } while (t !== w);
      if (assign) nextScc++;
      dfsSize--;
    }
  }
}
