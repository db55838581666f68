/**
 * Turns a flow graph into WebAssembly's nested blocks, loops and ifs.
 *
 * A node with one way in is written where that way leads; a node with several is written behind a `block` that its
 * ways branch out of, placed at its immediate dominator; a loop header opens a `loop`. After Ramsey, "Beyond Relooper"
 * (ICFP 2022). What follows a loop is put behind it, not inside: V8 unrolls and peels a loop only when it ends where the
 * `loop` does. Written with a stack of tasks, for code that is nested thousands deep.
 */
import type { Code } from "../wasm/code.ts";
import { analyse, type Graph, type Loops, loopsOf, subtreeSizes } from "./graph.ts";

/** How a node ends: its ways out are graph.succs, for "cond" [taken, fall]. For "switch" their number is on the stack. */
export type Exit = "none" | "goto" | "cond" | "switch";

/** Writes the code of nodes. */
export interface NodeWriter {
  /** The straight code of a node; `inLoop` when it is the head of a loop. Ends the function itself for exit "none". */
  node(n: number, isLoopHeader: boolean): Exit;
  /** Leaves an i32 on the stack: whether the branch at the end of n is taken (or, inverted, is not). */
  condition(n: number, inverted: boolean): void;
  /** How much code a node is, for balancing. */
  weight(n: number): number;
  /** Whether the node ends with exit "switch". */
  isSwitch(n: number): boolean;
}

/** @param graph reducible */
export function writeStructured(graph: Graph, code: Code, writer: NodeWriter): void {
  new Structurer(graph, code, writer).run();
}

const TASK = { node: 0, endBlock: 1, end: 2 } as const;

class Structurer {
  readonly #succs: readonly number[][];
  readonly #code: Code;
  readonly #writer: NodeWriter;
  readonly #loops: Loops;
  readonly #rpo: Int32Array;
  readonly #size: Int32Array;
  /** Nodes placed behind a block that starts at this node: outside its loop, if it heads one, and inside. */
  readonly #outside: (number[] | undefined)[];
  readonly #inside: (number[] | undefined)[];
  readonly #labelled: Uint8Array;
  /** Code.depth right inside the construct that a branch to the node names. */
  readonly #blockDepth: Int32Array;
  readonly #loopDepth: Int32Array;
  readonly #tasks: { readonly kind: number; readonly node: number }[] = [];

  constructor(graph: Graph, code: Code, writer: NodeWriter) {
    const flow = analyse(graph);
    if (!flow.reducible) throw new Error("writeStructured: the graph is not reducible");
    const n = graph.succs.length;
    this.#succs = graph.succs;
    this.#code = code;
    this.#writer = writer;
    this.#loops = loopsOf(flow);
    this.#rpo = flow.rpo;
    this.#size = subtreeSizes(flow.order, flow.idom, (node) => writer.weight(node));
    this.#outside = new Array(n);
    this.#inside = new Array(n);
    this.#labelled = new Uint8Array(n);
    this.#blockDepth = new Int32Array(n);
    this.#loopDepth = new Int32Array(n);
    // in order, so that each list ends with the node that comes last in the code
    for (const node of flow.order) {
      const dominator = flow.idom[node];
      if (dominator < 0) continue;
      const left = this.#loopLeft(dominator, node);
      const place = left >= 0 ? this.#outside : this.#inside;
      const at = left >= 0 ? left : dominator;
      if (left < 0) {
        const waysIn = flow.preds[node].filter((p) => flow.rpo[p] < flow.rpo[node]).length;
        if (waysIn < 2 && !writer.isSwitch(dominator)) continue;
      }
      this.#labelled[node] = 1;
      (place[at] ??= []).push(node);
    }
  }

  run(): void {
    this.#push(TASK.node, 0);
    for (let task = this.#tasks.pop(); task; task = this.#tasks.pop()) {
      if (task.kind === TASK.node) this.#writeNode(task.node);
      else {
        this.#code.end();
        if (task.kind === TASK.endBlock) this.#push(TASK.node, task.node);
      }
    }
  }

  #push(kind: number, node: number): void {
    this.#tasks.push({ kind, node });
  }

  /** Header of the outermost loop that holds `from` but not `to`, or -1. */
  #loopLeft(from: number, to: number): number {
    const { loopOf, outer, depth } = this.#loops;
    const levels = (h: number): number => (h < 0 ? 0 : depth[h]);
    let a = loopOf[from];
    let b = loopOf[to];
    let left = -1;
    while (a !== b) {
      if (levels(a) >= levels(b)) {
        left = a;
        a = outer[a];
      } else b = outer[b];
    }
    return left;
  }

  #writeNode(n: number): void {
    const code = this.#code;
    this.#openBlocks(this.#outside[n]);
    const isHeader = this.#loops.isHeader[n] === 1;
    if (isHeader) {
      code.loop();
      this.#loopDepth[n] = code.depth;
      this.#push(TASK.end, n);
    }
    this.#openBlocks(this.#inside[n]);
    const exit = this.#writer.node(n, isHeader);
    const succs = this.#succs[n];
    if (exit === "goto") this.#goto(n, succs[0]);
    else if (exit === "cond") this.#branch(n, succs[0], succs[1]);
    else if (exit === "switch") {
      const depths = succs.map((to) => this.#label(n, to));
      code.brTable(depths, depths[0]);
    }
  }

  #openBlocks(nodes: readonly number[] | undefined): void {
    if (!nodes) return;
    for (let i = nodes.length - 1; i >= 0; i--) {
      this.#code.block();
      this.#blockDepth[nodes[i]] = this.#code.depth;
      this.#push(TASK.endBlock, nodes[i]);
    }
  }

  #isBack(from: number, to: number): boolean {
    return this.#rpo[to] <= this.#rpo[from];
  }

  /** Whether the target is written elsewhere and reached by a branch. */
  #isBranch(from: number, to: number): boolean {
    return this.#isBack(from, to) || this.#labelled[to] === 1;
  }

  /** Relative depth of the construct to branch to. */
  #label(from: number, to: number): number {
    const opened = this.#isBack(from, to) ? this.#loopDepth[to] : this.#blockDepth[to];
    return this.#code.depth - opened;
  }

  /** Whether the target's code is what comes next anyway. */
  #isNext(from: number, to: number): boolean {
    const next = this.#tasks.at(-1);
    return next !== undefined && next.kind === TASK.endBlock && next.node === to && !this.#isBack(from, to);
  }

  #goto(from: number, to: number): void {
    if (!this.#isBranch(from, to)) this.#push(TASK.node, to);
    else if (!this.#isNext(from, to)) this.#code.br(this.#label(from, to));
  }

  #branch(n: number, taken: number, fall: number): void {
    const code = this.#code;
    const takenJumps = this.#isBranch(n, taken);
    const fallJumps = this.#isBranch(n, fall);
    if (takenJumps && !(fallJumps && this.#isNext(n, taken))) {
      this.#writer.condition(n, false);
      code.brIf(this.#label(n, taken));
      this.#goto(n, fall);
    } else if (fallJumps) {
      this.#writer.condition(n, true);
      code.brIf(this.#label(n, fall));
      this.#goto(n, taken);
    } else {
      // The lesser one goes into the `if`, so that nesting grows with the logarithm of the code.
      const inverted = this.#size[taken] > this.#size[fall];
      this.#writer.condition(n, inverted);
      code.if();
      this.#push(TASK.node, inverted ? taken : fall);
      this.#push(TASK.end, n);
      this.#push(TASK.node, inverted ? fall : taken);
    }
  }
}
