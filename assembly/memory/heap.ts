/**
 * The kernel's allocator: two-level segregated fit over one heap that ends where memory ends.
 *
 * Alloc and free are O(1): free blocks sit in lists by size class (16 per power of two), found through two bitmaps;
 * neighbours that are free are always merged, so a steady workload keeps memory flat.
 *
 * Block    u32 prevPhys (address of the block before, 0 for the first) | u32 size | payload
 *          size counts the 8-byte header, is a multiple of 16, and has bit 0 set while the block is free.
 *          A free block keeps u32 next, u32 prev of its list in the payload. Headers are at 8 mod 16, so payloads are
 *          at 0 mod 16. A used block of size 0, the sentinel, ends the heap.
 * State    at HEAP_STATE, see the offsets below; no wasm globals.
 * Zeroing  memory that was never handed out is zero already: only bytes below the high-water mark are cleared, so a
 *          large sparse map does not touch its pages.
 */
import { HEAP_BASE, HEAP_STATE } from "./layout";
import { lock, unlock } from "./lock";

const LOCK: u32 = 0;
const FL_BITMAP: usize = 4;
const SENTINEL: usize = 8;
const HIGH_WATER: usize = 12;
const ALLOCATED: usize = 16; // u64, bytes of live blocks
const BLOCKS: usize = 24; // live blocks
const SL_BITMAPS: u32 = HEAP_STATE + 64;
const HEADS: u32 = HEAP_STATE + 256;

const FREE: u32 = 1;
const HEADER: u32 = 8;
const SL_BITS: u32 = 4;
const SL_COUNT: u32 = 1 << SL_BITS;
/** Blocks below 256 bytes: one class per 16 bytes, in first level 0. */
const SMALL: u32 = 256;
const MAX_ALLOC: u32 = 0xfff00000;
const MAX_PAGES: i32 = 65535;

// @ts-ignore: decorator
@inline
function sizeOf(block: u32): u32 {
  return load<u32>(block, 4) & ~FREE;
}

// @ts-ignore: decorator
@inline
function isFree(block: u32): bool {
  return (load<u32>(block, 4) & FREE) != 0;
}

// @ts-ignore: decorator
@inline
function firstLevel(size: u32): u32 {
  return size < SMALL ? 0 : 31 - clz<u32>(size) - 7;
}

// @ts-ignore: decorator
@inline
function secondLevel(size: u32): u32 {
  return size < SMALL ? size >> 4 : (size >> (31 - clz<u32>(size) - SL_BITS)) ^ SL_COUNT;
}

// @ts-ignore: decorator
@inline
function headOf(fl: u32, sl: u32): u32 {
  return HEADS + ((fl << SL_BITS) + sl) * 4;
}

/** Makes an empty heap of the memory above the first 64 KiB. Called once per memory. */
export function heap_init(): void {
  memory.fill(HEAP_STATE, 0, 4096);
  const sentinel = <u32>(memory.size() << 16) - HEADER;
  const first = HEAP_BASE + HEADER;
  store<u32>(HEAP_STATE, first, HIGH_WATER);
  store<u32>(HEAP_STATE, sentinel, SENTINEL);
  store<u32>(first, 0);
  store<u32>(first, sentinel - first, 4);
  store<u32>(sentinel, first);
  store<u32>(sentinel, 0, 4);
  insertBlock(first);
}

/**
 * Zeroed memory of size bytes; align is a power of two (16 or less costs nothing). Returns 0 when memory is exhausted.
 */
export function mem_alloc(size: u32, align: u32): u32 {
  lock(HEAP_STATE + LOCK);
  const addr = allocate(size, align);
  unlock(HEAP_STATE + LOCK);
  if (addr != 0) {
    const high = load<u32>(HEAP_STATE, HIGH_WATER);
    const end = addr - HEADER + sizeOf(addr - HEADER);
    store<u64>(addr, 0);
    if (addr + 8 < high) memory.fill(addr + 8, 0, min(end, high) - addr - 8);
    if (end > high) store<u32>(HEAP_STATE, end, HIGH_WATER);
  }
  return addr;
}

/** Gives back what mem_alloc returned; 0 is allowed. Returns 0 when addr is not a live allocation. */
export function mem_free(addr: u32): i32 {
  if (addr == 0) return 1;
  const block = addr - HEADER;
  if ((addr & 15) != 0 || addr < HEAP_BASE || block >= load<u32>(HEAP_STATE, SENTINEL) || isFree(block)) return 0;
  const size = sizeOf(block);
  if (size == 0) return 0;
  lock(HEAP_STATE + LOCK);
  store<u64>(HEAP_STATE, load<u64>(HEAP_STATE, ALLOCATED) - size, ALLOCATED);
  store<u32>(HEAP_STATE, load<u32>(HEAP_STATE, BLOCKS) - 1, BLOCKS);
  insertBlock(merged(block));
  unlock(HEAP_STATE + LOCK);
  return 1;
}

/** Bytes of live blocks, headers included. */
export function mem_allocated(): f64 {
  return <f64>load<u64>(HEAP_STATE, ALLOCATED);
}

export function mem_blocks(): u32 {
  return load<u32>(HEAP_STATE, BLOCKS);
}

/** Bytes that the allocation at addr can hold, at least what was asked for. */
export function mem_usable(addr: u32): u32 {
  return sizeOf(addr - HEADER) - HEADER;
}

/**
 * Walks the whole heap and checks every invariant; 0 = sound, else the number of the check that failed. For tests.
 */
export function heap_check(): i32 {
  const sentinel = load<u32>(HEAP_STATE, SENTINEL);
  let block = HEAP_BASE + HEADER;
  let prev: u32 = 0;
  let live: u64 = 0;
  let blocks: u32 = 0;
  let wasFree = false;
  while (block != sentinel) {
    if (load<u32>(block) != prev) return 1;
    const size = sizeOf(block);
    if (size < 16 || (size & 15) != 0 || size > sentinel - block) return 2;
    const free = isFree(block);
    if (free && wasFree) return 3;
    if (free) {
      if (!listed(block, size)) return 4;
    } else {
      live += size;
      blocks++;
    }
    wasFree = free;
    prev = block;
    block += size;
  }
  if (load<u32>(sentinel) != prev) return 5;
  if (live != load<u64>(HEAP_STATE, ALLOCATED) || blocks != load<u32>(HEAP_STATE, BLOCKS)) return 6;
  return 0;
}

function listed(block: u32, size: u32): bool {
  let at = load<u32>(headOf(firstLevel(size), secondLevel(size)));
  while (at != 0) {
    if (at == block) return true;
    at = load<u32>(at, 8);
  }
  return false;
}

function allocate(size: u32, align: u32): u32 {
  if (size > MAX_ALLOC || align > 0x10000000) return 0;
  const need = (max<u32>(size, 8) + HEADER + 15) & ~15;
  const slack: u32 = align > 16 ? align : 0;
  let block = takeFit(need + slack);
  if (block == 0) {
    if (!grow(need + slack)) return 0;
    block = takeFit(need + slack);
    if (block == 0) return 0;
  }
  if (slack != 0) {
    const payload = block + HEADER;
    const gap = ((payload + align - 1) & ~(align - 1)) - payload;
    if (gap != 0) {
      const rest = splitAt(block, gap);
      insertBlock(block);
      block = rest;
    }
  }
  if (sizeOf(block) - need >= 16) insertBlock(splitAt(block, need));
  const total = sizeOf(block);
  store<u32>(block, total, 4);
  store<u64>(HEAP_STATE, load<u64>(HEAP_STATE, ALLOCATED) + total, ALLOCATED);
  store<u32>(HEAP_STATE, load<u32>(HEAP_STATE, BLOCKS) + 1, BLOCKS);
  return block + HEADER;
}

/** Unlinks a free block of at least size bytes, or returns 0. */
function takeFit(size: u32): u32 {
  // Round up to the next class, so that every block of that class fits.
  let want = size;
  if (want >= SMALL) {
    const step: u32 = (1 << (31 - clz<u32>(want) - SL_BITS)) - 1;
    want = want + step < want ? want : want + step;
  }
  let fl = firstLevel(want);
  const sl = secondLevel(want);
  let slots = load<u32>(SL_BITMAPS + fl * 4) & (~0 << sl);
  if (slots == 0) {
    const levels = load<u32>(HEAP_STATE, FL_BITMAP) & (~0 << (fl + 1));
    if (levels == 0) return takeFromOwnClass(size);
    fl = ctz<u32>(levels);
    slots = load<u32>(SL_BITMAPS + fl * 4);
  }
  const block = load<u32>(headOf(fl, ctz<u32>(slots)));
  removeBlock(block);
  return block;
}

/** The class below the rounded one may still hold a fit; looked at only before memory would grow. */
function takeFromOwnClass(size: u32): u32 {
  let block = load<u32>(headOf(firstLevel(size), secondLevel(size)));
  for (let tries = 0; block != 0 && tries < 64; tries++) {
    if (sizeOf(block) >= size) {
      removeBlock(block);
      return block;
    }
    block = load<u32>(block, 8);
  }
  return 0;
}

/** Cuts a block (in no list) in two; returns the second. */
function splitAt(block: u32, size: u32): u32 {
  const total = sizeOf(block);
  const rest = block + size;
  store<u32>(block, size, 4);
  store<u32>(rest, block);
  store<u32>(rest, total - size, 4);
  store<u32>(rest + total - size, rest);
  return rest;
}

/** Merges a block (in no list) with free neighbours, which leave their lists. */
function merged(block: u32): u32 {
  let size = sizeOf(block);
  const next = block + size;
  if (isFree(next)) {
    removeBlock(next);
    size += sizeOf(next);
  }
  const prev = load<u32>(block);
  if (prev != 0 && isFree(prev)) {
    removeBlock(prev);
    size += sizeOf(prev);
    block = prev;
  }
  store<u32>(block, size, 4);
  store<u32>(block + size, block);
  return block;
}

function insertBlock(block: u32): void {
  const size = sizeOf(block);
  const fl = firstLevel(size);
  const sl = secondLevel(size);
  const head = headOf(fl, sl);
  const next = load<u32>(head);
  store<u32>(block, size | FREE, 4);
  store<u32>(block, next, 8);
  store<u32>(block, 0, 12);
  if (next != 0) store<u32>(next, block, 12);
  store<u32>(head, block);
  store<u32>(SL_BITMAPS + fl * 4, load<u32>(SL_BITMAPS + fl * 4) | (1 << sl));
  store<u32>(HEAP_STATE, load<u32>(HEAP_STATE, FL_BITMAP) | (1 << fl), FL_BITMAP);
  // The header and the links are dirty bytes, wherever the block ends up.
  if (block + 16 > load<u32>(HEAP_STATE, HIGH_WATER)) store<u32>(HEAP_STATE, block + 16, HIGH_WATER);
}

function removeBlock(block: u32): void {
  const size = sizeOf(block);
  const next = load<u32>(block, 8);
  const prev = load<u32>(block, 12);
  if (next != 0) store<u32>(next, prev, 12);
  if (prev != 0) {
    store<u32>(prev, next, 8);
  } else {
    const fl = firstLevel(size);
    const sl = secondLevel(size);
    store<u32>(headOf(fl, sl), next);
    if (next == 0) {
      const slots = load<u32>(SL_BITMAPS + fl * 4) & ~(1 << sl);
      store<u32>(SL_BITMAPS + fl * 4, slots);
      if (slots == 0) store<u32>(HEAP_STATE, load<u32>(HEAP_STATE, FL_BITMAP) & ~(1 << fl), FL_BITMAP);
    }
  }
  store<u32>(block, size, 4);
}

/** Grows memory so that a block of size bytes fits: an eighth more than there is, or just enough. */
function grow(size: u32): bool {
  const pages = memory.size();
  // The free tail would serve a part of the need, but a class above the exact size must exist: ask for all of it.
  const exact = <i32>((<u64>size + (<u64>size >> SL_BITS) + 64 + 0xffff) >> 16);
  const roomy = max(exact, min(pages >> 3, 1024));
  let got = 0;
  if (pages + roomy <= MAX_PAGES && memory.grow(roomy) != -1) got = roomy;
  else if (pages + exact <= MAX_PAGES && memory.grow(exact) != -1) got = exact;
  if (got == 0) return false;
  const old = load<u32>(HEAP_STATE, SENTINEL);
  const sentinel = <u32>((pages + got) << 16) - HEADER;
  store<u32>(HEAP_STATE, sentinel, SENTINEL);
  store<u32>(old, sentinel - old, 4);
  store<u32>(sentinel, old);
  store<u32>(sentinel, 0, 4);
  const block = merged(old);
  if (block != old) store<u64>(old, 0); // inside never-used memory now, which must read as zero
  insertBlock(block);
  return true;
}
