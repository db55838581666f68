/**
 * Which element an LRU map gives up: active, inactive and free lists with a reference bit per element.
 *
 * A lookup by a program sets the bit. Active elements without it age to inactive; inactive ones with it come back;
 * what is reclaimed comes from the inactive end. By default the lists are one for the map, and each CPU keeps a local
 * stock of free and of fresh ("pending") elements, refilled LRU_TARGET_FREE at a time, so that eviction comes in
 * batches, as on Linux. With BPF_F_NO_COMMON_LRU every CPU has its own lists and elements, and no local stock.
 *
 * Element  at +8: u32 next, u32 prev (a node); at +16: u8 list, u8 referenced, u16 cpu.
 * List     64 bytes: {next, prev} of active, inactive, free | u32 active count | u32 inactive count |
 *          u32 rotation: where the next rotation of the inactive list starts.
 * Local    32 bytes per CPU: {next, prev} of free, pending | u32 next CPU to steal from.
 * Source   kernel/bpf/bpf_lru_list.c.
 */
import { currentCpu } from "../memory/cpu_ctx";
import { lruEvict } from "./hashtab";
import {
  BPF_F_NO_COMMON_LRU, LRU_LISTS, LRU_LOCALS, LRU_SCANS, LRU_TARGET_FREE, MAP_CPUS, MAP_ELEMS, MAP_FLAGS, MAP_STRIDE,
  maxEntries,
} from "./record";

const NODE: u32 = 8; // offset of the node in an element
const NEXT: usize = 0;
const PREV: usize = 4;
// Relative to the node:
const LIST: usize = 8;
const REF: usize = 9;
const CPU: usize = 10;

const ACTIVE: u32 = 0;
const INACTIVE: u32 = 1;
const FREE: u32 = 2;
const LOCAL_FREE: u32 = 3;
const LOCAL_PENDING: u32 = 4;

const LIST_BYTES: u32 = 64;
const COUNTS: u32 = 24;
const ROTATION: usize = 32;
const LOCAL_BYTES: u32 = 32;
const L_FREE: u32 = 0;
const L_PENDING: u32 = 8;
const L_STEAL: usize = 16;

const LOCAL_FREE_TARGET: u32 = 128;
const LOCAL_SCANS: u32 = LOCAL_FREE_TARGET;
const PERCPU_FREE_TARGET: u32 = 4;
const PERCPU_SCANS: u32 = PERCPU_FREE_TARGET;

// @ts-ignore: decorator
@inline
function percpuLists(map: u32): bool {
  return (load<u32>(map, MAP_FLAGS) & BPF_F_NO_COMMON_LRU) != 0;
}

// @ts-ignore: decorator
@inline
function isEmpty(head: u32): bool {
  return load<u32>(head, NEXT) == head;
}

// @ts-ignore: decorator
@inline
function listDel(node: u32): void {
  const next = load<u32>(node, NEXT);
  const prev = load<u32>(node, PREV);
  store<u32>(prev, next, NEXT);
  store<u32>(next, prev, PREV);
}

// @ts-ignore: decorator
@inline
function listAdd(node: u32, head: u32): void {
  const next = load<u32>(head, NEXT);
  store<u32>(node, next, NEXT);
  store<u32>(node, head, PREV);
  store<u32>(next, node, PREV);
  store<u32>(head, node, NEXT);
}

function headInit(head: u32): void {
  store<u32>(head, head, NEXT);
  store<u32>(head, head, PREV);
}

// @ts-ignore: decorator
@inline
function isRef(node: u32): bool {
  return load<u8>(node, REF) != 0;
}

/** A program has looked the element up. The bit is set as a rule: writing it again would dirty the line for nothing. */
// @ts-ignore: decorator
@inline
export function lruTouch(elem: u32): void {
  if (load<u8>(elem + NODE, REF) == 0) store<u8>(elem + NODE, 1, REF);
}

function count(list: u32, which: u32, n: i32): void {
  if (which > INACTIVE) return;
  const at = list + COUNTS + which * 4;
  store<u32>(at, load<u32>(at) + n);
}

/** Leaves a list of `list` for the list headed by head, which bears the name `to`. */
function moveOut(list: u32, node: u32, head: u32, to: u32): void {
  if (load<u32>(list, ROTATION) == node) store<u32>(list, load<u32>(node, PREV), ROTATION);
  count(list, load<u8>(node, LIST), -1);
  store<u8>(node, to, LIST);
  listDel(node);
  listAdd(node, head);
}

/** From a local list into a list of `list`. */
function moveIn(list: u32, node: u32, to: u32): void {
  listDel(node);
  count(list, to, 1);
  store<u8>(node, to, LIST);
  store<u8>(node, 0, REF);
  listAdd(node, list + to * 8);
}

/** Between the lists of `list`, or to the front of the same one. */
function move(list: u32, node: u32, to: u32): void {
  const from = <u32>load<u8>(node, LIST);
  if (from != to) {
    count(list, from, -1);
    count(list, to, 1);
    store<u8>(node, to, LIST);
  }
  store<u8>(node, 0, REF);
  if (load<u32>(list, ROTATION) == node) store<u32>(list, load<u32>(node, PREV), ROTATION);
  listDel(node);
  listAdd(node, list + to * 8);
}

function rotateActive(map: u32, list: u32): void {
  const head = list + ACTIVE * 8;
  const first = load<u32>(head, NEXT);
  let node = load<u32>(head, PREV);
  for (let i: u32 = 0; node != head && i < load<u32>(map, LRU_SCANS); i++) {
    const before = load<u32>(node, PREV);
    move(list, node, isRef(node) ? ACTIVE : INACTIVE);
    if (node == first) break;
    node = before;
  }
}

function rotateInactive(map: u32, list: u32): void {
  const head = list + INACTIVE * 8;
  if (isEmpty(head)) return;
  let last = load<u32>(load<u32>(list, ROTATION), NEXT);
  if (last == head) last = load<u32>(last, NEXT);
  let node = load<u32>(list, ROTATION);
  let next = head;
  for (let i: u32 = 0; i < load<u32>(map, LRU_SCANS); ) {
    if (node == head) {
      node = load<u32>(node, PREV);
      continue;
    }
    next = load<u32>(node, PREV);
    if (isRef(node)) move(list, node, ACTIVE);
    if (node == last) break;
    node = next;
    i++;
  }
  store<u32>(list, next, ROTATION);
}

function rotate(map: u32, list: u32): void {
  if (load<u32>(list + COUNTS + INACTIVE * 4) < load<u32>(list + COUNTS + ACTIVE * 4)) rotateActive(map, list);
  rotateInactive(map, list);
}

/** Evicts up to n elements, oldest first, into the list headed by free; at least one if there is any. */
function shrink(map: u32, list: u32, n: u32, free: u32, freeName: u32): void {
  const inactive = list + INACTIVE * 8;
  let node = load<u32>(inactive, PREV);
  let got: u32 = 0;
  for (let i: u32 = 0; node != inactive && i < load<u32>(map, LRU_SCANS); i++) {
    const before = load<u32>(node, PREV);
    if (isRef(node)) {
      move(list, node, ACTIVE);
    } else if (lruEvict(map, node - NODE)) {
      moveOut(list, node, free, freeName);
      if (++got == n) return;
    }
    node = before;
  }
  if (got != 0) return;
  const forced = isEmpty(inactive) ? list + ACTIVE * 8 : inactive;
  for (node = load<u32>(forced, PREV); node != forced; node = load<u32>(node, PREV)) {
    if (lruEvict(map, node - NODE)) {
      moveOut(list, node, free, freeName);
      return;
    }
  }
}

// @ts-ignore: decorator
@inline
function localOf(map: u32, cpu: u32): u32 {
  return load<u32>(map, LRU_LOCALS) + cpu * LOCAL_BYTES;
}

function refill(map: u32, local: u32): void {
  const list = load<u32>(map, LRU_LISTS);
  const pending = local + L_PENDING;
  for (let node = load<u32>(pending, PREV); node != pending; ) {
    const before = load<u32>(node, PREV);
    moveIn(list, node, isRef(node) ? ACTIVE : INACTIVE);
    node = before;
  }
  rotate(map, list);
  const target = load<u32>(map, LRU_TARGET_FREE);
  const free = list + FREE * 8;
  let n: u32 = 0;
  while (n < target && !isEmpty(free)) {
    moveOut(list, load<u32>(free, NEXT), local + L_FREE, LOCAL_FREE);
    n++;
  }
  if (n < target) shrink(map, list, target - n, local + L_FREE, LOCAL_FREE);
}

function popLocalFree(local: u32): u32 {
  const node = load<u32>(local + L_FREE, NEXT);
  if (node == local + L_FREE) return 0;
  listDel(node);
  return node;
}

/** The oldest pending element without the reference bit; if all have it, the oldest. */
function popPending(map: u32, local: u32): u32 {
  const pending = local + L_PENDING;
  for (let force: u32 = 0; force < 2; force++) {
    for (let node = load<u32>(pending, PREV); node != pending; node = load<u32>(node, PREV)) {
      if ((force != 0 || !isRef(node)) && lruEvict(map, node - NODE)) {
        listDel(node);
        return node;
      }
    }
  }
  return 0;
}

/** An element for a new key, evicting if need be; 0 when none can be had. The caller links it into the table. */
export function lruPopFree(map: u32, hash: u32): u32 {
  const cpu = currentCpu();
  if (percpuLists(map)) {
    const list = load<u32>(map, LRU_LISTS) + cpu * LIST_BYTES;
    const free = list + FREE * 8;
    rotate(map, list);
    if (isEmpty(free)) shrink(map, list, PERCPU_FREE_TARGET, free, FREE);
    if (isEmpty(free)) return 0;
    const node = load<u32>(free, NEXT);
    move(list, node, INACTIVE);
    store<u32>(node - NODE, hash, 4);
    return node - NODE;
  }
  const local = localOf(map, cpu);
  let node = popLocalFree(local);
  if (node == 0) {
    refill(map, local);
    node = popLocalFree(local);
  }
  if (node == 0) {
    const cpus = load<u32>(map, MAP_CPUS);
    let victim = load<u32>(local, L_STEAL);
    for (let i: u32 = 0; i < cpus && node == 0; i++) {
      const other = localOf(map, victim);
      node = popLocalFree(other);
      if (node == 0) node = popPending(map, other);
      victim = victim + 1 == cpus ? 0 : victim + 1;
    }
    store<u32>(local, victim, L_STEAL);
    if (node == 0) return 0;
  }
  store<u8>(node, LOCAL_PENDING, LIST);
  store<u8>(node, 0, REF);
  store<u16>(node, cpu, CPU);
  listAdd(node, local + L_PENDING);
  store<u32>(node - NODE, hash, 4);
  return node - NODE;
}

/** Gives back an element that left the table, or never entered it. */
export function lruPushFree(map: u32, elem: u32): void {
  const node = elem + NODE;
  if (percpuLists(map)) {
    move(load<u32>(map, LRU_LISTS) + <u32>load<u16>(node, CPU) * LIST_BYTES, node, FREE);
  } else if (load<u8>(node, LIST) == LOCAL_PENDING) {
    store<u8>(node, LOCAL_FREE, LIST);
    store<u8>(node, 0, REF);
    listDel(node);
    listAdd(node, localOf(map, load<u16>(node, CPU)) + L_FREE);
  } else {
    move(load<u32>(map, LRU_LISTS), node, FREE);
  }
}

export function lruInit(map: u32): void {
  const cpus = load<u32>(map, MAP_CPUS);
  const percpu = percpuLists(map);
  const entries = maxEntries(map);
  for (let cpu: u32 = 0; cpu < cpus; cpu++) {
    const list = load<u32>(map, LRU_LISTS) + cpu * LIST_BYTES;
    for (let which: u32 = 0; which < 3; which++) headInit(list + which * 8);
    store<u32>(list, list + INACTIVE * 8, ROTATION);
    const local = localOf(map, cpu);
    headInit(local + L_FREE);
    headInit(local + L_PENDING);
    store<u32>(local, cpu, L_STEAL);
  }
  const share = max<u32>(entries / cpus, 1);
  store<u32>(map, min(max<u32>(share / 2, 1), LOCAL_FREE_TARGET), LRU_TARGET_FREE);
  store<u32>(map, percpu ? PERCPU_SCANS : LOCAL_SCANS, LRU_SCANS);
  for (let i: u32 = 0; i < entries; i++) {
    const cpu = percpu ? min(i / share, cpus - 1) : 0;
    const node = load<u32>(map, MAP_ELEMS) + i * load<u32>(map, MAP_STRIDE) + NODE;
    store<u8>(node, FREE, LIST);
    store<u16>(node, cpu, CPU);
    listAdd(node, load<u32>(map, LRU_LISTS) + cpu * LIST_BYTES + FREE * 8);
  }
}
