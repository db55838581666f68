/**
 * Every way in which a list of steps can go wrong: the acting process dies between two of them, or a second
 * administrator does the same at the same time.
 *
 * A step that fails with an errno makes its administrator give up and exit; EAGAIN of a lock makes it wait. In between,
 * packets flow. What counts is what is left when everyone is gone.
 */
import { BpfError, EAGAIN } from "../../src/abi/errno.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import type { Admin, State, World } from "./world.ts";

/** One administrator at work. */
export interface Actor {
  readonly world: World;
  readonly admin: Admin;
  readonly bpf: Bpf;
  /** Of the set that it puts in place. */
  readonly version: string;
  /** What earlier steps opened. */
  readonly fds: Map<string, Fd>;
  /** And what they saw. */
  readonly notes: Map<string, string>;
}

export interface Step {
  readonly name: string;
  run(actor: Actor): void;
}

export interface Method {
  readonly name: string;
  /** Puts version "a" in place and leaves it to its pins. */
  setUp(world: World): void;
  readonly steps: readonly Step[];
  /** What is wrong with a state; empty when it is one complete set and its pins. */
  faults(state: State): readonly string[];
}

export interface Finding {
  /** "dies after 'pin tc'". */
  readonly how: string;
  readonly faults: readonly string[];
}

export interface Report {
  readonly method: string;
  readonly steps: number;
  /** Steps of an undisturbed run after which a packet met no complete set. */
  readonly unsafeSteps: number;
  readonly crashes: { readonly runs: number; readonly bad: readonly Finding[] };
  /** After each crash another administrator does the whole once more: what he cannot repair. */
  readonly repairs: { readonly runs: number; readonly bad: readonly Finding[] };
  readonly orders: { readonly runs: number; readonly bad: readonly Finding[] };
}

function hire(world: World, version: string): Actor {
  const admin = world.admin(`admin-${version}`);
  return { world, version, admin, bpf: admin.bpf, fds: new Map(), notes: new Map() };
}

/** @returns whether the administrator goes on: "wait" for a lock, "stop" after an error */
function act(step: Step, actor: Actor): "done" | "wait" | "stop" {
  try {
    step.run(actor);
    return "done";
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    if (e.errno === EAGAIN) return "wait";
    actor.admin.exit();
    return "stop";
  }
}

/** The whole list by one administrator. */
function doAll(method: Method, actor: Actor, until = method.steps.length): void {
  for (const step of method.steps.slice(0, until)) if (act(step, actor) !== "done") return;
}

export function explore(method: Method, newWorld: () => World, maxSwitches = 3): Report {
  const { steps } = method;
  const inWorld = <T>(body: (world: World) => T): T => {
    using world = newWorld();
    method.setUp(world);
    return body(world);
  };
  const unsafeSteps = inWorld((world) => {
    const actor = hire(world, "b");
    let unsafe = 0;
    for (const step of steps) {
      if (act(step, actor) !== "done") throw new Error(`${method.name}: '${step.name}' fails undisturbed`);
      if (!isComplete(world.packet())) unsafe++;
    }
    actor.admin.exit();
    const faults = method.faults(world.state());
    if (faults.length) throw new Error(`${method.name}: undisturbed it ends with: ${faults.join("; ")}`);
    return unsafe;
  });

  const crashes: Finding[] = [];
  const repairs: Finding[] = [];
  for (let n = 0; n <= steps.length; n++) {
    const how = n === 0 ? "dies before it begins" : `dies after '${steps[n - 1]!.name}'`;
    inWorld((world) => {
      const actor = hire(world, "b");
      doAll(method, actor, n);
      actor.admin.exit();
      note(crashes, how, method.faults(world.state()));
      const next = hire(world, "c");
      doAll(method, next);
      next.admin.exit();
      note(repairs, `${how}, then another one does it`, method.faults(world.state()));
    });
  }

  const orders: Finding[] = [];
  let runs = 0;
  for (const order of interleavings(steps.length, maxSwitches)) {
    runs++;
    inWorld((world) => {
      const both = [hire(world, "b"), hire(world, "c")] as const;
      follow(method, both, order);
      for (const { admin } of both) admin.exit();
      note(orders, describe(order), method.faults(world.state()));
    });
  }
  const all = steps.length + 1;
  return {
    method: method.name,
    steps: steps.length,
    unsafeSteps,
    crashes: { runs: all, bad: crashes },
    repairs: { runs: all, bad: repairs },
    orders: { runs, bad: orders },
  };
}

function note(list: Finding[], how: string, faults: readonly string[]): void {
  if (faults.length) list.push({ how, faults });
}

/** One complete set: all its programs have one version, and every part is there. */
export function isComplete(runs: readonly string[]): boolean {
  const versions = new Set(runs.map((name) => name.split("-")[1]));
  return versions.size === 1 && runs.length === PARTS.length;
}

/** What a set consists of. */
export const PARTS = ["xdp", "tc"] as const;

/** Lets two administrators act in turn: how many steps each time. Who waits for a lock lets the other go on. */
function follow(method: Method, both: readonly [Actor, Actor], order: readonly number[]): void {
  const at = [0, 0];
  const gone = [false, false];
  const advance = (who: number): "done" | "wait" | "stop" => {
    const step = method.steps[at[who]!];
    if (gone[who] || !step) return "stop";
    const result = act(step, both[who]!);
    if (result === "done") at[who]!++;
    if (result === "stop") gone[who] = true;
    if (at[who] === method.steps.length) both[who]!.admin.exit();
    return result;
  };
  order.forEach((count, turn) => {
    for (let i = 0; i < count; i++) if (advance(turn % 2) !== "done") break;
  });
  // What waiting left over.
  for (let idle = 0; idle < 2; ) {
    const moved = [0, 1].some((who) => advance(who) === "done");
    idle = moved ? 0 : idle + 1;
  }
}

/** Turns of two lists of n steps with at most that many switches; the second to begin is the same by symmetry. */
export function* interleavings(n: number, maxSwitches: number): Iterable<readonly number[]> {
  const turns: number[] = [];
  function* extend(left: readonly [number, number], who: 0 | 1, switches: number): Iterable<readonly number[]> {
    const mine = left[who];
    const other = left[1 - who]!;
    if (mine === 0) return;
    for (let count = 1; count <= mine; count++) {
      const rest: [number, number] = [left[0], left[1]];
      rest[who] -= count;
      turns.push(count);
      if (rest[0] === 0 && rest[1] === 0) yield [...turns];
      else if (other > 0 && switches < maxSwitches) yield* extend(rest, who === 0 ? 1 : 0, switches + 1);
      turns.pop();
    }
  }
  yield* extend([n, n], 0, 0);
}

function describe(order: readonly number[]): string {
  return order.map((count, turn) => `${turn % 2 ? "second" : "first"} does ${count}`).join(", ");
}
