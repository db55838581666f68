/**
 * What verifications use one after the other: an instance of the module with its memory, the array of the jump history,
 * objects of states. Nothing of a verification is seen by the next; it only finds the room warm. Who verifies many programs
 * (a kernel) owns the Workspaces and passes them in.
 */
import { JmpHistory } from "./jmp_history.ts";
import type { VState } from "./state.ts";
import { newVerifierWasm, type VerifierWasm } from "./wasm.ts";

/** What one huge program needed is not kept: memory, words of history, states. */
const KEEP_BYTES = 128 << 20;
const KEEP_WORDS = 1 << 21;
const KEEP_STATES = 1 << 14;
/** A verification within another (the explanation of a refusal) has a workspace of its own. */
const KEEP_IDLE = 2;

export class Workspace {
  readonly wasm: VerifierWasm = newVerifierWasm();
  readonly history = new JmpHistory();
  /** Objects that no verification knows any more. */
  readonly states: VState[] = [];

  reset(): void {
    this.wasm.frames_reset();
    this.history.reset(KEEP_WORDS);
    if (this.states.length > KEEP_STATES) this.states.length = KEEP_STATES;
  }
}

export class Workspaces {
  readonly #idle: Workspace[] = [];

  /** Take one; give it back with release(). */
  acquire(): Workspace {
    return this.#idle.pop() ?? new Workspace();
  }

  release(workspace: Workspace): void {
    if (this.#idle.length >= KEEP_IDLE || workspace.wasm.memory.buffer.byteLength > KEEP_BYTES) return;
    workspace.reset();
    this.#idle.push(workspace);
  }
}
