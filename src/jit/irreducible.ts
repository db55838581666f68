/**
 * Makes a flow graph reducible: a loop with several entries gets one, a dispatcher that branches on a number.
 *
 * Each edge to an entry of such a loop is split by a node that sets the loop's selector and goes to the dispatcher.
 * What is left of the loop without its head is then treated alike, until every loop has a single entry.
 */
import { analyse, type Graph } from "./graph.ts";

/** A node that this pass added; its number is its place after the graph's own nodes. */
export type AddedNode =
  /** selector = value, then go to the only successor */
  | { readonly kind: "select"; readonly selector: number; readonly value: number }
  /** go to the successor whose number is in the selector */
  | { readonly kind: "dispatch"; readonly selector: number };

/**
 * Changes graph.succs in place. No edge may lead to node 0.
 * @returns the added nodes: node graph.succs.length (as it was before) + i is element i
 */
export function makeReducible(graph: Graph): AddedNode[] {
  const added: AddedNode[] = [];
  const flow = analyse(graph);
  if (flow.reducible) return added;
  const { succs } = graph;
  const preds = flow.preds.slice();
  const newNode = (node: AddedNode, from: number[], to: number[]): number => {
    added.push(node);
    succs.push(to);
    preds.push(from);
    return succs.length - 1;
  };
  let selectors = 0;
  const work: number[][] = [flow.order.slice()];
  while (work.length) {
    const region = work.pop() as number[];
    for (const scc of stronglyConnected(succs, region)) {
      const inside = new Set(scc);
      const entries = scc.filter((n) => preds[n].some((p) => !inside.has(p)));
      if (entries.length === 1) {
        work.push(scc.filter((n) => n !== entries[0]));
        continue;
      }
      const selector = selectors++;
      const dispatcher = newNode({ kind: "dispatch", selector }, [], entries);
      entries.forEach((entry, value) => {
        for (const from of preds[entry]) {
          const split = newNode({ kind: "select", selector, value }, [from], [dispatcher]);
          succs[from] = succs[from].map((to) => (to === entry ? split : to));
          preds[dispatcher].push(split);
          if (inside.has(from)) scc.push(split);
        }
        preds[entry] = [dispatcher];
      });
      work.push(scc);
    }
  }
  return added;
}

/** Loops of the subgraph of `nodes`: strongly connected sets of several nodes, or of one that reaches itself (Tarjan). */
function stronglyConnected(succs: readonly number[][], nodes: readonly number[]): number[][] {
  const member = new Set(nodes);
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const onStack = new Set<number>();
  const stack: number[] = [];
  const out: number[][] = [];
  for (const root of nodes) {
    if (index.has(root)) continue;
    const calls: { n: number; next: number }[] = [];
    const enter = (n: number): void => {
      index.set(n, index.size);
      low.set(n, index.get(n) as number);
      stack.push(n);
      onStack.add(n);
      calls.push({ n, next: 0 });
    };
    enter(root);
    while (calls.length) {
      const frame = calls[calls.length - 1];
      const { n } = frame;
      const s = succs[n][frame.next++];
      if (s !== undefined) {
        if (!member.has(s)) continue;
        if (!index.has(s)) enter(s);
        else if (onStack.has(s)) low.set(n, Math.min(low.get(n) as number, index.get(s) as number));
        continue;
      }
      calls.pop();
      const up = calls.at(-1);
      if (up) low.set(up.n, Math.min(low.get(up.n) as number, low.get(n) as number));
      if (low.get(n) !== index.get(n)) continue;
      const scc = stack.splice(stack.lastIndexOf(n));
      for (const m of scc) onStack.delete(m);
      if (scc.length > 1 || succs[n].includes(n)) out.push(scc);
    }
  }
  return out;
}
