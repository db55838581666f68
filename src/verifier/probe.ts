/**
 * An observer of a verification: told what is simulated, which paths wait and which states failed to end a path.
 *
 * Absent on ordinary runs, so the walk pays one comparison for it. Used by explain/recorder.ts and explain/complexity.ts.
 */
import type { VerifierEnv } from "./env.ts";
import type { VState } from "./state.ts";

export interface Probe {
  /** The walk of a function begins: its first frame holds the arguments. */
  started?(env: VerifierEnv): void;
  /** The walk of a function ended well; what is refused from here on has no instruction. */
  ended?(env: VerifierEnv): void;
  /** Instruction i is about to be simulated on the running state. */
  before?(env: VerifierEnv, i: number): void;
  /** It was; env.insnIdx is where the path goes on. Not called when the instruction was refused. */
  after?(env: VerifierEnv, i: number): void;
  /** A path was put aside: a copy of the state before the running instruction, perhaps still to be edited. */
  pushed?(env: VerifierEnv): void;
  /** The newest path that waited is the running one. */
  popped?(env: VerifierEnv): void;
  /** The running state was kept at instruction i. */
  stored?(env: VerifierEnv, i: number): void;
  /** The running state reached instruction i, and `old`, kept there, does not cover it. */
  missed?(env: VerifierEnv, i: number, old: VState, cur: VState): void;
  /** An explored state covers the running one: the path ends at instruction i. */
  pruned?(env: VerifierEnv, i: number): void;
}
