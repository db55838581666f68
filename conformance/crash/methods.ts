/**
 * Ways to replace a program set, each as a list of steps.
 *
 * The set has a part at two hooks of one device (xdp, tc ingress). The first three ways keep a pinned link for each part;
 * the last has both parts in one program behind one pinned link, so that a single LINK_UPDATE replaces all.
 */
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import type { Actor, Method, Step } from "./explore.ts";
import { PARTS } from "./explore.ts";
import { faultsOf, type Wanted } from "./faults.ts";
import type { World } from "./world.ts";

type Part = (typeof PARTS)[number];

const HOOKS = {
  xdp: { progType: abi.BPF_PROG_TYPE_XDP, attachType: abi.BPF_XDP },
  tc: { progType: abi.BPF_PROG_TYPE_SCHED_CLS, attachType: abi.BPF_TCX_INGRESS },
} as const;

export const fdOf = ({ fds }: Actor, name: string): Fd => {
  const fd = fds.get(name);
  if (fd === undefined) throw new Error(`no step opened '${name}'`);
  return fd;
};

/** Where a pinned program or link of the running set is. */
const SET = "fw";
const LINKS = "links";

/** The path of a name in bpffs. */
const at = (a: Actor, rel: string) => `${a.world.bpffs}/${rel}`;

function forParts(make: (part: Part) => Step): Step[] {
  return PARTS.map(make);
}

const loadParts = forParts((part) => ({
  name: `load ${part}`,
  run: (a) => void a.fds.set(part, a.world.load(a.bpf, HOOKS[part].progType, `${part}-${a.version}`)),
}));

/** Opens the pinned links and the programs that run, which the swap must find unchanged. */
const look: Step = {
  name: "look at what runs",
  run(a) {
    for (const part of PARTS) {
      const link = a.bpf.objGet(at(a, `${LINKS}/${part}`));
      a.fds.set(`link ${part}`, link);
      a.fds.set(`old ${part}`, a.bpf.progGetFdById(a.bpf.linkInfo(link).progId));
    }
  },
};

const temporary = (a: Actor) => at(a, `fw-${a.version}`);
const retired = (a: Actor) => at(a, `old-${a.version}`);

/**
 * Links whose programs are exchanged, and a directory with the programs of the set.
 * @param exchange puts the new directory in the place of the old one, which is at `old` then
 */
function linksAndDirectory(exchange: readonly Step[], old: (a: Actor) => string): readonly Step[] {
  return [
    look,
    ...loadParts,
    { name: "mkdir", run: (a) => a.bpf.fs.mkdir(temporary(a)) },
    ...forParts((part) => ({
      name: `pin ${part}`,
      run: (a) => a.bpf.objPin(fdOf(a, part), `${temporary(a)}/${part}`),
    })),
    ...forParts((part) => ({
      name: `swap ${part}`,
      run: (a) => a.bpf.linkUpdate(fdOf(a, `link ${part}`), fdOf(a, part), { oldProgFd: fdOf(a, `old ${part}`) }),
    })),
    ...exchange,
    ...forParts((part) => ({ name: `unlink old ${part}`, run: (a) => a.bpf.fs.unlink(`${old(a)}/${part}`) })),
    { name: "rmdir", run: (a) => a.bpf.fs.rmdir(old(a)) },
  ];
}

const withRenames = linksAndDirectory(
  [
    { name: "rename the old directory away", run: (a) => a.bpf.fs.rename(at(a, SET), retired(a)) },
    { name: "rename the new one", run: (a) => a.bpf.fs.rename(temporary(a), at(a, SET)) },
  ],
  retired,
);

/** RENAME_EXCHANGE: one step for both. */
const withExchange = linksAndDirectory(
  [
    {
      name: "exchange the directories",
      run: (a) => a.bpf.fs.rename(temporary(a), at(a, SET), { exchange: true }),
    },
  ],
  temporary,
);

const lock: Step = {
  name: "lock",
  run(a) {
    const fd = a.bpf.fs.open(a.world.bpffs);
    try {
      a.bpf.fs.flock(fd, "exclusive");
    } catch (e) {
      a.bpf.close(fd);
      throw e;
    }
  },
};

/** Links without an update: the old one goes before the new one comes. */
const detachAndAttach: readonly Step[] = [
  ...loadParts,
  ...PARTS.flatMap((part): Step[] => [
    { name: `unpin ${part}`, run: (a) => a.bpf.objUnpin(at(a, `${LINKS}/${part}`)) },
    { name: `attach ${part}`, run: (a) => void a.fds.set(`link ${part}`, attach(a.world, a.bpf, part, fdOf(a, part))) },
    { name: `pin ${part}`, run: (a) => a.bpf.objPin(fdOf(a, `link ${part}`), at(a, `${LINKS}/${part}`)) },
  ]),
];

/** One program with both parts, one link, one update. */
const oneUpdate: readonly Step[] = [
  {
    name: "look at what runs",
    run(a) {
      const link = a.bpf.objGet(at(a, `${LINKS}/set`));
      a.fds.set("link", link);
      a.fds.set("old", a.bpf.progGetFdById(a.bpf.linkInfo(link).progId));
    },
  },
  { name: "load the set", run: (a) => void a.fds.set("set", loadSet(a.world, a.bpf, a.version)) },
  {
    name: "replace the set",
    run: (a) => a.bpf.linkUpdate(fdOf(a, "link"), fdOf(a, "set"), { oldProgFd: fdOf(a, "old") }),
  },
];

function loadSet(world: World, bpf: Bpf, version: string): Fd {
  return world.load(bpf, abi.BPF_PROG_TYPE_XDP, ...PARTS.map((part) => `${part}-${version}`));
}

function attach(world: World, bpf: Bpf, part: Part, progFd: Fd): Fd {
  return bpf.linkCreate({ progFd, attachType: HOOKS[part].attachType, targetIfindex: world.ifindex });
}

function setUpParts(world: World, pinProgs: boolean): void {
  const { bpf, exit } = world.admin("admin-a");
  for (const dir of pinProgs ? [LINKS, SET] : [LINKS]) bpf.fs.mkdir(`${world.bpffs}/${dir}`);
  for (const part of PARTS) {
    const prog = world.load(bpf, HOOKS[part].progType, `${part}-a`);
    bpf.objPin(attach(world, bpf, part, prog), `${world.bpffs}/${LINKS}/${part}`);
    if (pinProgs) bpf.objPin(prog, `${world.bpffs}/${SET}/${part}`);
  }
  exit();
}

function setUpOne(world: World): void {
  const { bpf, exit } = world.admin("admin-a");
  bpf.fs.mkdir(`${world.bpffs}/${LINKS}`);
  const link = attach(world, bpf, "xdp", loadSet(world, bpf, "a"));
  bpf.objPin(link, `${world.bpffs}/${LINKS}/set`);
  exit();
}

const links: Wanted = (v) => ({ "links/xdp": `link of xdp-${v}`, "links/tc": `link of tc-${v}` });
const linksAndSet: Wanted = (v) => ({ ...links(v), "fw/xdp": `xdp-${v}`, "fw/tc": `tc-${v}` });

export const METHODS: readonly Method[] = [
  {
    name: "unpin, attach, pin",
    setUp: (world) => setUpParts(world, false),
    steps: detachAndAttach,
    faults: (state) => faultsOf(state, links),
  },
  {
    name: "create, pin, swap, rename, remove",
    setUp: (world) => setUpParts(world, true),
    steps: withRenames,
    faults: (state) => faultsOf(state, linksAndSet),
  },
  {
    name: "create, pin, swap, exchange, remove",
    setUp: (world) => setUpParts(world, true),
    steps: withExchange,
    faults: (state) => faultsOf(state, linksAndSet),
  },
  {
    name: "with rename, under a lock",
    setUp: (world) => setUpParts(world, true),
    steps: [lock, ...withRenames],
    faults: (state) => faultsOf(state, linksAndSet),
  },
  {
    name: "one atomic replace",
    setUp: setUpOne,
    steps: oneUpdate,
    faults: (state) => faultsOf(state, (v) => ({ "links/set": `link of xdp-${v}-tc-${v}` })),
  },
];
