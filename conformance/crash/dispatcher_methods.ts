/**
 * Ways to replace the set that a dispatcher calls: libxdp's, with a fresh dispatcher, extensions that hold it by their
 * links, and a directory of pins for each; and the opposite direction, where the one dispatcher holds its extensions and
 * exchanges them in one step.
 */
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import type { Actor, Method, Step } from "./explore.ts";
import { faultsOf, type Wanted } from "./faults.ts";
import { fdOf } from "./methods.ts";
import { stagesBtf } from "./progs.ts";
import type { World } from "./world.ts";

const STAGES = ["fw", "lb"] as const;
type Stage = (typeof STAGES)[number];

const stages = stagesBtf(STAGES);

const LINK = "link";
const directory = (world: World, version: string) => `${world.bpffs}/dispatch-${version}`;

function extension(world: World, bpf: Bpf, dispatcher: Fd, stage: Stage, version: string): Fd {
  return world.loadExtension(bpf, dispatcher, stages.ids[stage]!, `${stage}-${version}`);
}

/** freplace: at the function that the program was loaded for. */
const attachExtension = (bpf: Bpf, progFd: Fd): Fd => bpf.linkCreate({ progFd, attachType: 0 });

const look: Step = {
  name: "look at what runs",
  run(a) {
    const link = a.bpf.objGet(`${a.world.bpffs}/${LINK}`);
    const { progId } = a.bpf.linkInfo(link);
    const old = a.bpf.progGetFdById(progId);
    a.fds.set("link", link);
    a.fds.set("old", old);
    // A dispatcher is called "disp_VERSION".
    a.notes.set("old version", a.bpf.progInfo(old).name.slice("disp_".length));
  },
};

const forStages = (make: (stage: Stage) => readonly Step[]): Step[] => STAGES.flatMap(make);

const libxdp: readonly Step[] = [
  look,
  {
    name: "load the dispatcher",
    run: (a) => void a.fds.set("new", a.world.loadDispatcher(a.bpf, stages, `disp-${a.version}`)),
  },
  ...forStages((stage) => [
    {
      name: `load ${stage}`,
      run: (a) => void a.fds.set(stage, extension(a.world, a.bpf, fdOf(a, "new"), stage, a.version)),
    },
    { name: `attach ${stage}`, run: (a) => void a.fds.set(`link ${stage}`, attachExtension(a.bpf, fdOf(a, stage))) },
  ]),
  { name: "mkdir", run: (a) => a.bpf.fs.mkdir(directory(a.world, a.version)) },
  ...forStages((stage) => [
    {
      name: `pin ${stage}`,
      run: (a) => a.bpf.objPin(fdOf(a, stage), `${directory(a.world, a.version)}/${stage}-prog`),
    },
    {
      name: `pin the link of ${stage}`,
      run: (a) => a.bpf.objPin(fdOf(a, `link ${stage}`), `${directory(a.world, a.version)}/${stage}-link`),
    },
  ]),
  {
    name: "swap the dispatchers",
    run: (a) => a.bpf.linkUpdate(fdOf(a, "link"), fdOf(a, "new"), { oldProgFd: fdOf(a, "old") }),
  },
  ...forStages((stage) => [
    { name: `unlink the old link of ${stage}`, run: (a) => a.bpf.fs.unlink(`${oldDirectory(a)}/${stage}-link`) },
    { name: `unlink old ${stage}`, run: (a) => a.bpf.fs.unlink(`${oldDirectory(a)}/${stage}-prog`) },
  ]),
  { name: "rmdir", run: (a) => a.bpf.fs.rmdir(oldDirectory(a)) },
];

const oldDirectory = (a: Actor) => directory(a.world, a.notes.get("old version")!);

const replaceSet: readonly Step[] = [
  look,
  ...forStages((stage) => [
    {
      name: `load ${stage}`,
      run: (a) => void a.fds.set(stage, extension(a.world, a.bpf, fdOf(a, "old"), stage, a.version)),
    },
  ]),
  { name: "replace the set", run: (a) => putSet(a.bpf, fdOf(a, "old"), (stage) => fdOf(a, stage)) },
];

function putSet(bpf: Bpf, dispatcher: Fd, fdFor: (stage: Stage) => Fd): void {
  if (!bpf.progReplaceFuncs) throw new Error("this kernel has no progReplaceFuncs()");
  const set = STAGES.map((stage) => ({ btfId: stages.ids[stage]!, funcFd: fdFor(stage) }));
  bpf.progReplaceFuncs(dispatcher, set);
}

/** A dispatcher on the device, behind a pinned link. */
function setUpDispatcher(world: World, fill: (bpf: Bpf, dispatcher: Fd) => void): void {
  const { bpf, exit } = world.admin("admin-a");
  const progFd = world.loadDispatcher(bpf, stages, "disp-a");
  fill(bpf, progFd);
  const link = bpf.linkCreate({ progFd, attachType: abi.BPF_XDP, targetIfindex: world.ifindex });
  bpf.objPin(link, `${world.bpffs}/${LINK}`);
  exit();
}

const libxdpPins: Wanted = (v) => ({
  [LINK]: `link of disp-${v}`,
  ...Object.fromEntries(
    STAGES.flatMap((stage) => [
      [`dispatch-${v}/${stage}-prog`, `${stage}-${v}`],
      [`dispatch-${v}/${stage}-link`, `link of ${stage}-${v}`],
    ]),
  ),
});

/** libxdp's way, which Linux has too. */
export const LIBXDP: Method = {
  name: "a new dispatcher, pins, swap",
  setUp: (world) =>
    setUpDispatcher(world, (bpf, dispatcher) => {
      const dir = directory(world, "a");
      bpf.fs.mkdir(dir);
      for (const stage of STAGES) {
        const prog = extension(world, bpf, dispatcher, stage, "a");
        bpf.objPin(prog, `${dir}/${stage}-prog`);
        bpf.objPin(attachExtension(bpf, prog), `${dir}/${stage}-link`);
      }
    }),
  steps: libxdp,
  faults: (state) => faultsOf(state, libxdpPins),
};

export const REPLACE_SET: Method = {
  name: "one atomic replace of its functions",
  setUp: (world) =>
    setUpDispatcher(world, (bpf, dispatcher) =>
      putSet(bpf, dispatcher, (stage) => extension(world, bpf, dispatcher, stage, "a")),
    ),
  steps: replaceSet,
  // The one dispatcher stays.
  faults: (state) => faultsOf(state, () => ({ [LINK]: "link of disp-a" })),
};
