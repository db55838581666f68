/**
 * All helper functions by BPF_FUNC_* number: the one table that loader, verifier and engines read.
 *
 * Each family file holds prototypes and bodies side by side. Adding a helper is one export there.
 */

import * as cgroup from "./cgroup.ts";
import * as cpu from "./cpu.ts";
import * as csum from "./csum.ts";
import * as dynptr from "./dynptr.ts";
import type { Helper } from "./helper.ts";
import * as kptr from "./kptr.ts";
import * as lirc from "./lirc.ts";
import * as loop from "./loop.ts";
import * as lwt from "./lwt.ts";
import * as map from "./map.ts";
import * as perf from "./perf.ts";
import * as print from "./print.ts";
import * as probe from "./probe.ts";
import * as redirect from "./redirect.ts";
import * as ringbuf from "./ringbuf.ts";
import * as seq from "./seq.ts";
import * as skb from "./skb.ts";
import * as sock from "./sock.ts";
import * as sockmap from "./sockmap.ts";
import * as sockops from "./sockops.ts";
import * as spin_lock from "./spin_lock.ts";
import * as storage from "./storage.ts";
import * as syncookie from "./syncookie.ts";
import * as syscall from "./syscall.ts";
import * as task from "./task.ts";
import * as time from "./time.ts";
import * as timer from "./timer.ts";
import * as tracing from "./tracing.ts";
import type { Proto } from "./types.ts";
import * as xdp from "./xdp.ts";

const FAMILIES: readonly Readonly<Record<string, unknown>>[] = [
  map,
  print,
  time,
  cpu,
  task,
  probe,
  perf,
  tracing,
  seq,
  syscall,
  ringbuf,
  dynptr,
  kptr,
  timer,
  spin_lock,
  loop,
  storage,
  cgroup,
  csum,
  skb,
  redirect,
  xdp,
  lwt,
  sock,
  sockops,
  syncookie,
  sockmap,
  lirc,
];

function isHelper(value: unknown): value is Helper {
  return typeof value === "object" && value !== null && "proto" in value && "abi" in value;
}

/** Index is the BPF_FUNC_* number; 0 and numbers that no helper has are undefined. */
export const HELPERS: readonly (Helper | undefined)[] = (() => {
  const table: (Helper | undefined)[] = [];
  for (const family of FAMILIES)
    for (const helper of Object.values(family)) if (isHelper(helper)) table[helper.id] = helper;
  return table;
})();

/** The prototype that holds in programs of this type. */
export function protoFor(helper: Helper, progType: number): Proto {
  return helper.variants?.find((v) => v.progs.includes(progType))?.proto ?? helper.proto;
}

/** The helper with the body that runs in programs of this type. */
export function bodyFor(helper: Helper, progType: number): Helper {
  const v = helper.variants?.find((v) => v.progs.includes(progType));
  if (!v || (v.core === undefined && v.call === undefined)) return helper;
  const { core: _core, call: _call, ...rest } = helper;
  return {
    ...rest,
    ...(v.core === undefined ? {} : { core: v.core }),
    ...(v.call === undefined ? {} : { call: v.call }),
  };
}
