/**
 * Flow graphs: reverse postorder, dominators and natural loops. Knows neither eBPF nor WebAssembly.
 *
 * Everything is iterative and close to linear, since a program may have tens of thousands of blocks in a row.
 * Source: Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph" (1979), the simple version.
 */

/** Node 0 is the entry. succs[n] lists the targets of node n, each once. */
export interface Graph {
  readonly succs: number[][];
}

export interface FlowAnalysis {
  /** Nodes reachable from the entry, in reverse postorder. */
  readonly order: readonly number[];
  /** Position in `order`; -1 for unreachable nodes. */
  readonly rpo: Int32Array;
  readonly preds: readonly number[][];
  /** Immediate dominator; -1 for the entry and unreachable nodes. */
  readonly idom: Int32Array;
  /** Whether each loop has one entry: every edge that goes back in `order` goes to a dominator. */
  readonly reducible: boolean;
}

export function analyse(graph: Graph): FlowAnalysis {
  const { order, parent, rpo, preorder } = depthFirst(graph);
  const preds: number[][] = graph.succs.map(() => []);
  for (const n of order) for (const s of graph.succs[n]) preds[s].push(n);
  const idom = dominators(preorder, parent, preds);
  return { order, rpo, preds, idom, reducible: isReducible(graph, order, rpo, idom) };
}

interface DepthFirst {
  readonly order: number[];
  readonly rpo: Int32Array;
  readonly preorder: number[];
  readonly parent: Int32Array;
}

function depthFirst({ succs }: Graph): DepthFirst {
  const parent = new Int32Array(succs.length).fill(-1);
  const rpo = new Int32Array(succs.length).fill(-1);
  const nextSucc = new Int32Array(succs.length);
  const seen = new Uint8Array(succs.length);
  const preorder = [0];
  const postorder: number[] = [];
  const stack = [0];
  seen[0] = 1;
  while (stack.length) {
    const n = stack[stack.length - 1];
    const s = succs[n][nextSucc[n]++];
    if (s === undefined) {
      stack.pop();
      postorder.push(n);
      continue;
    }
    if (seen[s]) continue;
    seen[s] = 1;
    parent[s] = n;
    preorder.push(s);
    stack.push(s);
  }
  const order = postorder.reverse();
  order.forEach((n, i) => {
    rpo[n] = i;
  });
  return { order, rpo, preorder, parent };
}

function dominators(preorder: readonly number[], parent: Int32Array, preds: readonly number[][]): Int32Array {
  const size = parent.length;
  const num = new Int32Array(size).fill(-1);
  preorder.forEach((n, i) => {
    num[n] = i;
  });
  // by preorder number from here on
  const count = preorder.length;
  const semi = Int32Array.from({ length: count }, (_, i) => i);
  const label = semi.slice();
  const ancestor = new Int32Array(count).fill(-1);
  const dom = new Int32Array(count);
  const buckets: number[][] = preorder.map(() => []);
  const path: number[] = [];

  const evaluate = (v: number): number => {
    if (ancestor[v] < 0) return label[v];
    for (let u = v; ancestor[ancestor[u]] >= 0; u = ancestor[u]) path.push(u);
    while (path.length) {
      const u = path.pop() as number;
      const up = ancestor[u];
      if (semi[label[up]] < semi[label[u]]) label[u] = label[up];
      ancestor[u] = ancestor[up];
    }
    return label[v];
  };

  for (let w = count - 1; w > 0; w--) {
    for (const pred of preds[preorder[w]]) {
      const u = evaluate(num[pred]);
      if (semi[u] < semi[w]) semi[w] = semi[u];
    }
    buckets[semi[w]].push(w);
    const p = num[parent[preorder[w]]];
    ancestor[w] = p;
    for (const v of buckets[p]) {
      const u = evaluate(v);
      dom[v] = semi[u] < semi[v] ? u : p;
    }
    buckets[p].length = 0;
  }
  const idom = new Int32Array(size).fill(-1);
  for (let w = 1; w < count; w++) {
    if (dom[w] !== semi[w]) dom[w] = dom[dom[w]];
    idom[preorder[w]] = preorder[dom[w]];
  }
  return idom;
}

function isReducible({ succs }: Graph, order: readonly number[], rpo: Int32Array, idom: Int32Array): boolean {
  const dominates = dominanceTest(order, idom);
  return order.every((n) => succs[n].every((s) => rpo[s] > rpo[n] || dominates(s, n)));
}

/** @returns a test in constant time whether node a dominates node b */
export function dominanceTest(order: readonly number[], idom: Int32Array): (a: number, b: number) => boolean {
  const size = subtreeSizes(order, idom, () => 1);
  // preorder numbers of the dominator tree: a parent comes before its children in `order`
  const first = new Int32Array(idom.length);
  const next = new Int32Array(idom.length);
  for (const n of order) {
    const p = idom[n];
    first[n] = p < 0 ? 0 : next[p];
    if (p >= 0) next[p] += size[n];
    next[n] = first[n] + 1;
  }
  return (a, b) => first[a] <= first[b] && first[b] < first[a] + size[a];
}

/** Sum of `weight` over each node's subtree of the dominator tree. */
export function subtreeSizes(order: readonly number[], idom: Int32Array, weight: (n: number) => number): Int32Array {
  const size = new Int32Array(idom.length);
  for (let i = order.length - 1; i >= 0; i--) {
    const n = order[i];
    size[n] += weight(n);
    if (idom[n] >= 0) size[idom[n]] += size[n];
  }
  return size;
}

/** The loops of a reducible graph. */
export interface Loops {
  readonly isHeader: Uint8Array;
  /** Header of the innermost loop that holds the node (the node itself when it is a header), or -1. */
  readonly loopOf: Int32Array;
  /** By header: header of the next outer loop, or -1. */
  readonly outer: Int32Array;
  /** By header: how many loops enclose its inside, 1 for an outermost loop. */
  readonly depth: Int32Array;
}

export function loopsOf(flow: FlowAnalysis): Loops {
  const { order, rpo, preds } = flow;
  const size = rpo.length;
  const isHeader = new Uint8Array(size);
  const loopOf = new Int32Array(size).fill(-1);
  const outer = new Int32Array(size).fill(-1);
  const depth = new Int32Array(size);
  // The outermost loop found so far around a node, with path halving: inner loops are found first.
  const top = Int32Array.from({ length: size }, (_, i) => i);
  const find = (n: number): number => {
    let u = n;
    while (top[u] !== u) {
      top[u] = top[top[u]];
      u = top[u];
    }
    return u;
  };
  for (let i = order.length - 1; i >= 0; i--) {
    const header = order[i];
    const work: number[] = [];
    for (const p of preds[header]) if (rpo[p] >= i) work.push(p);
    if (work.length === 0) continue;
    isHeader[header] = 1;
    loopOf[header] = header;
    while (work.length) {
      const n = find(work.pop() as number);
      if (n === header) continue;
      if (isHeader[n]) outer[n] = header;
      else loopOf[n] = header;
      top[n] = header;
      for (const p of preds[n]) if (rpo[p] >= i) work.push(p);
    }
  }
  for (const n of order) if (isHeader[n]) depth[n] = outer[n] < 0 ? 1 : depth[outer[n]] + 1;
  return { isHeader, loopOf, outer, depth };
}
